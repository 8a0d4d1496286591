"""Small sealed things of a user's own, for its own devices: the bodies under /vault."""

from typing import Final

from msgspec import Struct

from messenger.wire.codec import Binary

MAX_CONTENT: Final = 65_536  # bytes
MAX_NAMES: Final = 100  # of one user


class VaultContent(Struct, frozen=True):
    """A vault item's content: opaque, at most 64 KiB."""

    content: Binary


class VaultVersion(Struct, frozen=True):
    """The version that a write has made. Versions of a name only rise, across deletions too."""

    version: int


class VaultItem(Struct, frozen=True, kw_only=True):
    """A vault item, by its name."""

    name: str
    version: int
    content: bytes


class VaultName(Struct, frozen=True, kw_only=True):
    """A name under which something is kept."""

    name: str
    version: int
