"""A body on its way to the blobs: counted, hashed, held to its bounds, and its row kept alive."""

import hashlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from messenger.core.clock import Clock
from messenger.files.model import Bounds, Reserved
from messenger.wire.errors import Code, Problem, not_found, unavailable

if TYPE_CHECKING:
    from messenger.files.store.files import FileStore

RESERVE = 1 << 20  # bytes by which the reservation of an upload of unknown length grows


class Measured:
    """The chunks of `content`, for the upload of this id; `length` bytes of them unless that is None.

    Raises Problem `bad_request` where they are not, `too_large` beyond a file's size or the user's quota, and
    `unavailable` where the upload's row was swept away.
    """

    def __init__(
        self,
        files: "FileStore",
        clock: Clock,
        bounds: Bounds,
        file_id: str,
        content: AsyncIterator[bytes],
        length: int | None,
    ) -> None:
        self.size = 0
        self._files = files
        self._clock = clock
        self._bounds = bounds
        self._file_id = file_id
        self._content = content
        self._length = length
        self._reserved = length or 0
        self._hash = hashlib.sha256()
        self._touched = clock()

    def digest(self) -> bytes:
        """The SHA-256 of what has gone by."""
        return self._hash.digest()

    def __aiter__(self) -> "Measured":
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._content.__anext__()
        except StopAsyncIteration:
            if self._length is not None and self.size != self._length:
                raise Problem(Code.bad_request, "The body is not of its stated length.") from None
            raise
        self.size += len(chunk)
        if self._length is not None and self.size > self._length:
            raise Problem(Code.bad_request, "The body is not of its stated length.")
        check_size(self.size, self._bounds)
        await self._keep()
        self._hash.update(chunk)
        return chunk

    async def _keep(self) -> None:
        now = self._clock()
        missing = self.size - self._reserved
        if missing > 0:
            more = max(missing, RESERVE)
            reserved = await self._files.grow(self._file_id, more)
            if reserved is Reserved.over_quota and more > missing:
                more = missing
                reserved = await self._files.grow(self._file_id, more)
            check_room(reserved)
            self._reserved += more
            self._touched = now
        elif now - self._touched > self._bounds.touch_every:
            if not await self._files.touch(self._file_id):
                raise swept()
            self._touched = now


def check_size(size: int, bounds: Bounds) -> None:
    """Problem `too_large` for a file that is larger than one may be."""
    if size > bounds.size:
        raise Problem(Code.too_large, f"A file may have at most {bounds.size} bytes.")


def check_room(reserved: Reserved) -> None:
    """Problem where a reservation was refused."""
    if reserved is not Reserved.done:
        raise refusal(reserved)


def refusal(reserved: Reserved) -> Problem:
    """The Problem of an outcome other than `done`."""
    if reserved is Reserved.no_conversation:
        return not_found()
    if reserved is Reserved.blocked:
        return Problem(Code.blocked)
    if reserved is Reserved.over_quota:
        return Problem(Code.too_large, "This would exceed the space that is yours.")
    return swept()


def swept() -> Problem:
    """The upload's row is not there any more."""
    return unavailable("The upload was given up; it may be tried again.")
