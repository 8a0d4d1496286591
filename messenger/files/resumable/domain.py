"""The rules of resumable uploads: bytes that stay where they are when a request breaks off.

An upload is a file in state 'uploading' whose whole length is reserved when it is made. What a request brings
is stored in segments, each a blob of its own; the first of a request is small and each one is twice the one
before (append.py), so that little is lost when S3 or this process dies. A client that leaves loses nothing:
the running segment is filled up and counts for what arrived. Segments count once a row says so, which moves
the offset in the same statement; two requests at one offset, on any two instances, can't both do that, so one
of them is told `conflict` and nothing is mixed up. A request with a checksum moves the offset once, when all
of it has arrived and the checksum was found right.

The bytes that complete an upload don't move the offset by themselves: first all segments are streamed through
SHA-256 into the file's one blob, then the row becomes 'stored' and the offset the length, at once. What dies
before that leaves the offset short, and the client sends the last segment again.

A blob is noted for removal before its first byte and the note taken back by the statement that wants it.
"""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import TYPE_CHECKING

from messenger.core.clock import Clock
from messenger.files.domain import MAX_METADATA
from messenger.files.measured import check_room, check_size
from messenger.files.model import BlobLost, Bounds, Draft
from messenger.files.resumable.append import Append, Barred, Moved, beyond
from messenger.files.resumable.model import Upload
from messenger.files.resumable.segments import Incoming, Missing, NoBytes, Provisional
from messenger.wire.errors import Code, Problem, not_found

if TYPE_CHECKING:
    from messenger.core.blobs import Blobs
    from messenger.files.resumable.store import UploadStore
    from messenger.files.store.files import FileStore
    from messenger.files.store.removal import RemovalStore


class Uploads:
    """See the module's docstring. `breaks` are what a body raises whose sender has left; `new_id` makes file
    ids, `new_key` blob keys that can't be guessed."""

    def __init__(
        self,
        uploads: "UploadStore",
        files: "FileStore",
        removal: "RemovalStore",
        blobs: "Blobs",
        clock: Clock,
        bounds: Bounds,
        *,
        breaks: tuple[type[Exception], ...],
        new_id: Callable[[], str],
        new_key: Callable[[], str],
    ) -> None:
        self._uploads = uploads
        self._files = files
        self._removal = removal
        self._blobs = blobs
        self._clock = clock
        self._bounds = bounds
        self._breaks = breaks
        self._new_id = new_id
        self._new_key = new_key

    @property
    def size(self) -> int:
        """The largest file, in bytes."""
        return self._bounds.size

    async def create(
        self,
        user_id: str,
        length: int,
        conversation_id: str | None,
        metadata: bytes | None,
        upload_metadata: str,
    ) -> Upload:
        """A new upload of `length` bytes; of no bytes, it is stored at once.

        Problems: `too_large` (the file, its metadata, the quota), `not_found` (not in this conversation).
        """
        check_size(length, self._bounds)
        if metadata is not None and len(metadata) > MAX_METADATA:
            raise Problem(Code.too_large, f"The metadata may have at most {MAX_METADATA} bytes.")
        file_id, unused = self._new_id(), self._new_key()
        draft = Draft(file_id, unused, user_id, length, metadata, conversation_id, upload_metadata)
        check_room(await self._files.begin(draft))
        if length == 0:
            try:
                await self.append(user_id, file_id, 0, NoBytes(), 0)
            except BaseException:
                await self._removal.drop(file_id)
                raise
        return await self.find(user_id, file_id)

    async def find(self, user_id: str, file_id: str) -> Upload:
        """This user's upload. Problems: `not_found`, `gone` for one that has expired."""
        upload = await self._uploads.upload(file_id, user_id)
        if upload is None:
            raise not_found()
        if upload.expired:
            raise Problem(Code.gone, "The upload has expired.")
        return upload

    async def end(self, user_id: str, file_id: str) -> None:
        """Give an upload up, or delete the file that it has become. Problem `not_found`."""
        if await self._uploads.upload(file_id, user_id) is None or await self._removal.drop(file_id) is None:
            raise not_found()

    async def append(
        self,
        user_id: str,
        file_id: str,
        offset: int,
        content: AsyncIterator[bytes],
        length: int | None,
        checksum: bytes | None = None,
    ) -> Upload:
        """Add `content`, of `length` bytes unless that is None, at `offset`; the upload as it then is.

        `checksum` is what the SHA-256 of the content has to be. Problems: `not_found`, `gone`, `conflict`
        (the upload is not at this offset, or not any more), `too_large` (beyond the upload's length),
        `blocked` (by a block that was set meanwhile: the upload is over),
        `checksum_mismatch`, `unavailable`; and what `content` raises, after what came before it was kept.
        """
        upload = await self.find(user_id, file_id)
        if offset != upload.offset:
            raise _elsewhere(upload)
        if length is not None and offset + length > upload.length:
            raise beyond(upload)
        if upload.stored:
            return upload
        provisional = Provisional(self._uploads, self._clock, self._bounds.touch_every)
        incoming = Incoming(content, self._breaks)
        appending = Append(
            self._uploads, self._blobs, self._new_key, upload, incoming, provisional, length, checksum
        )
        try:
            await appending.run()
        except Barred:
            await self._removal.drop(file_id)
            raise Problem(Code.blocked) from None
        except Missing as missing:
            await self._moved(user_id, upload)
            raise BlobLost(f"a segment of upload {file_id} is missing") from missing
        except Moved:
            await self._moved(user_id, upload)
            raise Problem(Code.conflict, "The upload was changed meanwhile.") from None
        finally:
            await self._let_go(provisional.notes)
        if incoming.error is not None:
            raise incoming.error
        return await self.find(user_id, file_id)

    async def _moved(self, user_id: str, upload: Upload) -> None:
        """Raise the Problem of an upload that is not where it was; return if it is."""
        now = await self.find(user_id, upload.file_id)
        if now.offset != upload.offset:
            raise _elsewhere(now)

    async def _let_go(self, notes: dict[str, datetime]) -> None:
        """Have the sweep remove what nobody wants, soon. Where a commit's answer was lost a row may want it:
        then its note is gone, and so nothing is removed."""
        if notes:
            try:
                await self._uploads.let_go(notes)
            except Problem:
                return  # the notes are due later anyway


def _elsewhere(upload: Upload) -> Problem:
    return Problem(Code.conflict, f"The upload is at offset {upload.offset}.")
