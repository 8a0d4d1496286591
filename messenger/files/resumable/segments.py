"""Bytes on their way: what a request brings, cut into segments; segments, joined to a file."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from messenger.core.clock import Clock
from messenger.files.resumable.model import Piece
from messenger.wire.errors import unavailable

if TYPE_CHECKING:
    from messenger.core.blobs import Blobs
    from messenger.core.chunks import Chunks
    from messenger.files.resumable.store import UploadStore

FILLING = bytes(65_536)

Keep = Callable[[], Awaitable[None]]


class Missing(Exception):
    """A segment's blob is not there."""


class Provisional:
    """Blobs that S3 has, or gets, and that no row wants yet: each is noted for removal until one does.

    `every` is in milliseconds: so often a removal is put off.
    """

    def __init__(self, uploads: "UploadStore", clock: Clock, every: float) -> None:
        self._uploads = uploads
        self._clock = clock
        self._every = every
        self._renewed = clock()
        self.notes: dict[str, datetime] = {}

    async def note(self, blob_key: str) -> None:
        """Before the blob's first byte."""
        self.notes[blob_key] = await self._uploads.note(blob_key)

    async def keep(self) -> None:
        """Put the removals off while somebody works on them; Problem `unavailable` where one has begun."""
        now = self._clock()
        if now - self._renewed < self._every:
            return
        self._renewed = now
        renewed = await self._uploads.renew(self.notes)
        if len(renewed) != len(self.notes):
            raise unavailable("This took too long; it may be tried again.")
        self.notes = renewed

    def settle(self, blob_keys: Sequence[str]) -> None:
        """Rows want these from now on, or they are gone."""
        for blob_key in blob_keys:
            del self.notes[blob_key]


class Incoming:
    """The bytes of `content`, in pieces of any size. `error` is what ended them early, one of `breaks`."""

    def __init__(self, content: AsyncIterator[bytes], breaks: tuple[type[Exception], ...]) -> None:
        self.error: Exception | None = None
        self._content = content
        self._breaks = breaks
        self._rest = b""
        self._ended = False
        self._hash = hashlib.sha256()

    async def more(self) -> bool:
        """Whether there is at least one more byte; waits for it."""
        while not self._rest and not self._ended:
            try:
                self._rest = await self._content.__anext__()
            except StopAsyncIteration:
                self._ended = True
            except self._breaks as error:
                self.error = error
                self._ended = True
        return bool(self._rest)

    async def take(self, most: int) -> bytes:
        """The next bytes, at most so many; none at the end."""
        if not await self.more():
            return b""
        taken, self._rest = self._rest[:most], self._rest[most:]
        self._hash.update(taken)
        return taken

    def digest(self) -> bytes:
        """The SHA-256 of what was taken."""
        return self._hash.digest()


class Segment:
    """The body of one blob: `size` bytes, `taken` of them from what arrives. Where that breaks off zeros fill
    the rest, for S3 was told the size and would keep nothing otherwise; nobody ever reads them."""

    def __init__(self, incoming: Incoming, size: int, keep: Keep) -> None:
        self.taken = 0
        self._incoming = incoming
        self._left = size
        self._keep = keep

    def __aiter__(self) -> "Segment":
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        await self._keep()
        chunk = await self._incoming.take(self._left)
        self.taken += len(chunk)
        chunk = chunk or FILLING[: self._left]
        self._left -= len(chunk)
        return chunk


class JoinedSegments:
    """The bytes of `pieces`, one after the other, hashed as they go by. To be taken whole or closed.

    Raises Missing.
    """

    def __init__(self, blobs: "Blobs", pieces: Sequence[Piece], keep: Keep) -> None:
        self._blobs = blobs
        self._pieces = iter(pieces)
        self._keep = keep
        self._current: Chunks | None = None
        self._hash = hashlib.sha256()

    def __aiter__(self) -> "JoinedSegments":
        return self

    async def __anext__(self) -> bytes:
        await self._keep()
        while True:
            if self._current is not None:
                try:
                    chunk = await self._current.__anext__()
                except StopAsyncIteration:
                    self._current = None
                    continue
                self._hash.update(chunk)
                return chunk
            piece = next(self._pieces, None)
            if piece is None:
                raise StopAsyncIteration
            self._current = await self._blobs.chunks(piece.blob_key, 0, piece.size)
            if self._current is None:
                raise Missing(piece.blob_key)

    def digest(self) -> bytes:
        """The SHA-256 of what has gone by."""
        return self._hash.digest()

    def close(self) -> None:
        """Want no more; harmless at the end."""
        if self._current is not None:
            self._current.close()


class NoBytes:
    """No bytes, as an async iterator of chunks."""

    def __aiter__(self) -> "NoBytes":
        return self

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration
