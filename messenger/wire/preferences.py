"""A user's preferences."""

from typing import Literal

from msgspec import Struct

Groups = Literal["anyone", "contacts"]


class Preferences(Struct, frozen=True, kw_only=True):
    """`groups` is who may add the user to groups: `anyone` or, of `contacts`, those who share a direct
    conversation with it that has not ended and is not blocked."""

    groups: Groups
