"""What the rules of resumable uploads are about, and what they want of a store and of blobs."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from messenger.files.model import Draft, Removal, Reserved


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


class ResumableStore(Protocol):
    """Rows. Each call is one transaction."""

    async def begin(self, draft: Draft) -> Reserved:
        """Make the upload's row and reserve its bytes."""

    async def upload(self, file_id: str, user_id: str) -> Upload | None:
        """This user's upload of this id, finished or not."""

    async def note(self, blob_key: str) -> datetime:
        """Note a blob for removal, should nobody take the note back before the moment that is returned."""

    async def renew(self, notes: dict[str, datetime]) -> dict[str, datetime]:
        """Put removals off: the new moments, by key, of those notes that still stand."""

    async def advance(
        self, file_id: str, offset: int, pieces: Sequence[Piece], notes: dict[str, datetime]
    ) -> bool:
        """Add pieces to an unfinished upload that is at `offset`; False where it is not, or a note is gone.
        They don't complete it."""

    async def pieces(self, file_id: str) -> list[Piece]:
        """All pieces of an unfinished upload, in order."""

    async def complete(
        self, file_id: str, offset: int, blob_key: str, noted: datetime, sha256: bytes
    ) -> Reserved:
        """Make an unfinished upload that is at `offset` a file of this blob; `gone` where it is not, or the
        note is gone, `blocked` where a block bars its conversation by now."""

    async def drop(self, file_id: str) -> Removal | None:
        """Delete the row, give the quota back and note its blobs for removal."""

    async def let_go(self, notes: dict[str, datetime]) -> None:
        """Make removals due now, of those notes that still stand."""


class ResumableBlobs(Protocol):
    """Bytes by key. Problem `unavailable` where they can't be had now."""

    async def put(
        self,
        key: str,
        chunks: AsyncIterator[bytes],
        length: int | None,
        begun: Callable[[str], Awaitable[None]],
    ) -> None:
        """Store what `chunks` give, visible only when complete. What `chunks` raise comes through."""

    async def chunks(self, key: str, start: int, length: int) -> "Chunks | None":
        """`length` (at least 1) bytes from `start` on; None where there is no such blob."""


class Chunks(Protocol):
    """A blob's bytes. Whoever gets them takes them all or closes them."""

    async def __anext__(self) -> bytes:
        """The next bytes, never empty."""

    def close(self) -> None:
        """Want no more; harmless at the end."""
