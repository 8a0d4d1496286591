"""Lists in pages: `limit`, `cursor`, and `{"items": [...], "next": CURSOR or null}`."""

from typing import Annotated, Generic, TypeVar

import msgspec

T = TypeVar("T")

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)]


class PageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of a list: how many items (1 to 200), and where the page before ended."""

    limit: Limit = DEFAULT_LIMIT
    cursor: Annotated[str, msgspec.Meta(max_length=512)] | None = None


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page; `next` is the cursor of the following one, null on the last."""

    items: list[T]
    next: str | None = None


class Items(msgspec.Struct, Generic[T], frozen=True):
    """A list that is bounded by nature and comes whole."""

    items: list[T]
