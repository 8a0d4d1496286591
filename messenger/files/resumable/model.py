"""Resumable uploads as the rules see them."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload as its owner sees it.

    `offset` and `length` are in bytes. `metadata` is the Upload-Metadata it was made with, as far as it means
    something here. `stored`: it has become the file `file_id`; `expired`: it can't go on.
    """

    file_id: str
    offset: int
    length: int
    metadata: str
    stored: bool
    expires_at: datetime
    expired: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """`size` bytes of an upload, from `start` on: the beginning of a blob."""

    blob_key: str
    start: int
    size: int
