"""One request's bytes on their way into an upload: segments, their rows, and the file at the end."""

from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from typing import TYPE_CHECKING

from messenger.files.model import Reserved
from messenger.files.resumable.model import Piece, Upload
from messenger.files.resumable.segments import Incoming, JoinedSegments, NoBytes, Provisional, Segment
from messenger.wire.errors import Code, Problem

if TYPE_CHECKING:
    from messenger.core.blobs import Blobs
    from messenger.files.resumable.store import UploadStore

FIRST = 256 << 10  # bytes of a request's first segment; each one is twice the one before, up to MOST
MOST = 8 << 20


class Moved(Exception):
    """The upload is not at the offset any more, or a blob took so long that it was removed."""


class Barred(Exception):
    """A block has been set in the upload's conversation: it will be no file."""


class Append:
    """One request's bytes, `length` of them unless that is None, on their way into an upload."""

    def __init__(
        self,
        uploads: "UploadStore",
        blobs: "Blobs",
        new_key: Callable[[], str],
        upload: Upload,
        incoming: Incoming,
        provisional: Provisional,
        length: int | None,
        checksum: bytes | None,
    ) -> None:
        self._uploads = uploads
        self._blobs = blobs
        self._new_key = new_key
        self._upload = upload
        self._incoming = incoming
        self._stated = upload.length - upload.offset if length is None else length
        self._provisional = provisional
        self._checksum = checksum
        self._at = upload.offset  # where the next byte goes
        self._moved_to = upload.offset  # up to where rows know of it
        self._waiting: list[Piece] = []  # what they don't know of yet

    async def run(self) -> None:
        """Take everything; Problems as `Uploads.append` has them, Moved, Missing."""
        size = FIRST
        while await self._incoming.more():
            if self._at == self._upload.length:
                raise beyond(self._upload)
            await self._take_segment(size)
            size = min(size * 2, MOST)
            if self._checksum is None and self._at < self._upload.length:
                await self._advance()
        if self._checksum is not None and self._incoming.error is not None:
            return  # what can't be checked does not count
        if self._checksum is not None and self._incoming.digest() != self._checksum:
            raise Problem(Code.checksum_mismatch)
        if self._at == self._upload.length:
            await self._complete()
        elif self._waiting:
            await self._advance()

    async def _take_segment(self, size: int) -> None:
        left = self._upload.offset + self._stated - self._at
        blob_key, segment = await self._put(min(size, left))
        self._waiting.append(Piece(blob_key, self._at, segment.taken))
        self._at += segment.taken

    async def _put(self, size: int) -> tuple[str, Segment]:
        segment = Segment(self._incoming, size, self._provisional.keep)
        return await self._store_blob(segment, size), segment

    async def _store_blob(self, chunks: AsyncIterator[bytes], size: int) -> str:
        blob_key = self._new_key()
        await self._provisional.note(blob_key)
        await self._blobs.put(blob_key, chunks, size, _no_parts)
        return blob_key

    async def _advance(self) -> None:
        pieces, self._waiting = self._waiting, []
        notes = self._provisional.notes
        if not await self._uploads.advance(self._upload.file_id, self._moved_to, pieces, notes):
            raise Moved()
        self._moved_to = self._at
        self._provisional.settle([piece.blob_key for piece in pieces])

    async def _complete(self) -> None:
        if self._moved_to == 0 and len(self._waiting) <= 1:
            # All of it came at once and is one blob already, or is nothing at all.
            digest = self._incoming.digest() if self._waiting else sha256().digest()
            blob_key = self._waiting[0].blob_key if self._waiting else await self._store_blob(NoBytes(), 0)
        else:
            blob_key, digest = await self._join()
        noted = self._provisional.notes[blob_key]
        kept = await self._uploads.complete(self._upload.file_id, self._moved_to, blob_key, noted, digest)
        if kept is Reserved.blocked:
            raise Barred()
        if kept is not Reserved.done:
            raise Moved()
        self._provisional.settle([blob_key])

    async def _join(self) -> tuple[str, bytes]:
        pieces = [*await self._uploads.pieces(self._upload.file_id), *self._waiting]
        at = 0
        for piece in pieces:
            if piece.start != at:
                raise Moved()
            at += piece.size
        if at != self._upload.length:
            raise Moved()
        joined = JoinedSegments(self._blobs, pieces, self._provisional.keep)
        try:
            blob_key = await self._store_blob(joined, self._upload.length)
        finally:
            joined.close()
        return blob_key, joined.digest()


async def _no_parts(_upload_id: str) -> None:
    """A blob of known size has no parts."""


def beyond(upload: Upload) -> Problem:
    """More bytes came than the upload has."""
    return Problem(Code.too_large, f"The upload has {upload.length} bytes.")
