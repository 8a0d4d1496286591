"""Memory for bodies that must be gathered before they can be sent: so many parts in a process, not one more.

Who finds no room waits, without reading from its client, for up to `PART_WAIT_SECONDS`; at most
`PART_WAITERS` wait, and who takes longer than `PART_FILL_SECONDS` over a part while others wait has to give
its place up. All of these are Problem `unavailable` with Retry-After.
"""

from collections.abc import AsyncIterator
from typing import Any

from messenger.core.turns import Turns
from messenger.core.waits import within
from messenger.wire.errors import unavailable

PART = 5 << 20
PART_BUFFERS = 2
PART_WAITERS = 64
PART_WAIT_SECONDS = 30.0
PART_FILL_SECONDS = 15.0
PIECE = 1 << 16


class PartBuffer:
    """One part on its way from a client to S3; has a place among the process's buffers while it has bytes."""

    def __init__(self, reactor: Any, turns: Turns) -> None:
        self._reactor = reactor
        self._turns = turns
        self._held_since: float | None = None
        self.pieces: list[bytearray] = []
        self.size = 0
        self.ended = False

    async def __aenter__(self) -> "PartBuffer":
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.release()

    async def fill(self, chunks: AsyncIterator[bytes]) -> None:
        """Take chunks until there are PART bytes or there are no more."""
        async for chunk in chunks:
            if self._held_since is None:
                await self._acquire()
            elif self._turns.waiting and self._reactor.seconds() - self._held_since > PART_FILL_SECONDS:
                raise unavailable("This upload is slow and others are waiting.", retry_after=30)
            # Neither one large array, which is copied as it grows, nor as many objects as a client likes.
            if not self.pieces or len(self.pieces[-1]) >= PIECE:
                self.pieces.append(bytearray())
            self.pieces[-1] += chunk
            self.size += len(chunk)
            if self.size >= PART:
                return
        self.ended = True

    async def _acquire(self) -> None:
        busy = unavailable("Too many uploads of unknown length are under way.", retry_after=5)
        if self._turns.waiting >= PART_WAITERS:
            raise busy
        try:
            await within(self._reactor, PART_WAIT_SECONDS, self._turns.take())
        except TimeoutError:
            raise busy from None
        self._held_since = self._reactor.seconds()

    def release(self) -> None:
        """The part is stored, or not wanted any more."""
        self.pieces = []
        self.size = 0
        if self._held_since is not None:
            self._held_since = None
            self._turns.give_back()
