"""The rules of files: who may store, fetch, share and delete them; how a blob and its row stay one.

A file is stored in three steps: its row, in state 'uploading', which reserves quota and is seen by nobody;
its blob, hashed and measured as it streams by; and the row's turn to 'stored', in one statement. What fails
on the way takes row, blob and reservation with it; what dies on the way is found by `sweep`, which any number
of instances may run at the same time. A blob's key is random, is used once, and is deleted only after its row
is gone. The key of an upload that failed is deleted once more later, in case S3 finished it after all.

A file may be fetched by those who, at the time of asking, are members of a conversation that it is in; where
no conversation holds it, by its uploader alone. Its uploader may always look at what is known of it, and
delete it, since it counts towards the uploader's quota. Who may see nothing of it is told that it does not
exist.
"""

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from messenger.core.clock import Clock
from messenger.files.measured import Measured, check_room, check_size, refusal
from messenger.files.model import BlobLost, Bounds, Draft, Found, Removal, Reserved, Shared
from messenger.wire.errors import Code, Problem, not_found

if TYPE_CHECKING:
    from messenger.core.blobs import Blobs
    from messenger.core.streams import Receiving
    from messenger.files.store.files import FileStore
    from messenger.files.store.removal import RemovalStore

MAX_METADATA = 4_096
MAX_CONVERSATIONS = 1_000  # that one file is in
SWEEP_BATCH = 100
REMOVALS = 20  # blobs that a sweep takes on at a time
REMOVAL_BATCHES = 100
MAX_UNRESOLVED = 1_000


class Files:
    """See the module's docstring. `new_id` makes file ids, `new_key` blob keys that can't be guessed."""

    def __init__(
        self,
        files: "FileStore",
        removal: "RemovalStore",
        blobs: "Blobs",
        clock: Clock,
        bounds: Bounds,
        *,
        new_id: Callable[[], str],
        new_key: Callable[[], str],
    ) -> None:
        self._files = files
        self._removal = removal
        self._blobs = blobs
        self._clock = clock
        self._bounds = bounds
        self._new_id = new_id
        self._new_key = new_key
        self._unresolved: set[str] = set()

    async def upload(
        self,
        user_id: str,
        content: AsyncIterator[bytes],
        length: int | None,
        conversation_id: str | None = None,
        metadata: bytes | None = None,
    ) -> Found:
        """Store `content`, of `length` bytes unless that is None; the file is there when this returns.

        Problems: `too_large` (the file, its metadata, the quota), `not_found` (not in this conversation),
        `blocked` (now, or by a block that was set meanwhile), `bad_request` (not of the stated length),
        `unavailable`; and what `content` raises.
        """
        check_size(length or 0, self._bounds)
        if metadata is not None and len(metadata) > MAX_METADATA:
            raise Problem(Code.too_large, f"The metadata may have at most {MAX_METADATA} bytes.")
        draft = Draft(self._new_id(), self._new_key(), user_id, length or 0, metadata, conversation_id)
        check_room(await self._files.begin(draft))
        body = Measured(self._files, self._clock, self._bounds, draft.file_id, content, length)

        async def begun(upload_id: str) -> None:
            await self._files.note_parts(draft.file_id, upload_id)

        try:
            await self._blobs.put(draft.blob_key, body, length, begun)
            found = await self._files.finish(draft.file_id, body.size, body.digest())
            if isinstance(found, Reserved):
                raise refusal(found)
        except BaseException as error:
            # Even a row that did become 'stored' goes, where the answer to that was lost: nobody knows of it.
            # An S3 that has just failed is not asked to delete: the client would wait for that too.
            away = isinstance(error, Problem) and error.code is Code.unavailable
            await self._undo(draft.file_id, clear=not away)
            raise
        return found

    async def _undo(self, file_id: str, *, clear: bool = True) -> None:
        try:
            removal = await self._removal.drop(file_id)
        except Problem:
            if len(self._unresolved) < MAX_UNRESOLVED:
                self._unresolved.add(file_id)  # the next sweep tries again
            return
        self._unresolved.discard(file_id)
        if removal is not None and clear:
            await self._clear(removal)

    async def find(self, file_id: str, user_id: str) -> Found:
        """A file as this user sees it; Problem `not_found` for who may see nothing of it."""
        found = await self._files.find(file_id, user_id)
        if found is None or not (found.readable or found.own):
            raise not_found()
        return found

    async def readable(self, file_id: str, user_id: str) -> Found:
        """A file that this user may fetch; Problem `not_found`."""
        found = await self._files.find(file_id, user_id)
        if found is None or not found.readable:
            raise not_found()
        return found

    async def body(self, found: Found, user_id: str, start: int, length: int) -> "Receiving":
        """`length` (at least 1) bytes of it from `start` on; Problem `not_found` if it was just deleted."""
        body = await self._blobs.get(found.blob_key, start, length)
        if body is None:
            await self.readable(found.file_id, user_id)
            raise BlobLost(f"the blob of file {found.file_id} is missing")
        return body

    async def share(self, file_id: str, user_id: str, conversation_id: str) -> None:
        """Let the members of a conversation fetch it. Problems: `not_found`, `blocked`, `forbidden` for who
        is not its uploader, `unprocessable` where it is in MAX_CONVERSATIONS already."""
        await self._own(file_id, user_id)
        shared = await self._files.share(file_id, user_id, conversation_id)
        if shared is Shared.too_many:
            raise Problem(Code.unprocessable, f"A file is in at most {MAX_CONVERSATIONS} conversations.")
        if shared is Shared.blocked:
            raise Problem(Code.blocked)
        if shared is not Shared.done:
            raise not_found()

    async def delete(self, file_id: str, user_id: str) -> None:
        """Delete it, everywhere. Problems: `not_found`, `forbidden` for who is not its uploader."""
        await self._own(file_id, user_id)
        removal = await self._removal.drop(file_id)
        if removal is None:
            raise not_found()
        await self._clear(removal)

    async def _own(self, file_id: str, user_id: str) -> Found:
        found = await self.find(file_id, user_id)
        if not found.own:
            raise Problem(Code.forbidden, "Only its uploader may do this.")
        return found

    async def _clear(self, removal: Removal) -> None:
        try:
            await self._blobs.remove(removal.blob_key, removal.upload_id)
            if removal.final:
                await self._removal.cleared(removal.blob_key)
        except Problem:
            return  # it stands in the store, and is due again later

    async def drop_ownerless(self) -> None:
        """Delete the files of all deleted accounts."""
        while (removal := await self._removal.drop_ownerless()) is not None:
            await self._clear(removal)

    async def sweep(self) -> None:
        """Delete what is due: broken-off uploads, expired files, files of deleted accounts, blobs without a
        row. At most SWEEP_BATCH of each kind, of blobs REMOVAL_BATCHES times REMOVALS."""
        for file_id in list(self._unresolved):
            await self._undo(file_id)
        drops = (self._removal.drop_abandoned, self._removal.drop_expired, self._removal.drop_ownerless)
        for drop in drops:
            for _ in range(SWEEP_BATCH):
                removal = await drop()
                if removal is None:
                    break
                await self._clear(removal)
        await self._removal.let_go(SWEEP_BATCH)
        for _ in range(REMOVAL_BATCHES):
            removals = await self._removal.due(REMOVALS)
            for removal in removals:
                await self._clear(removal)
            if len(removals) < REMOVALS:
                break
