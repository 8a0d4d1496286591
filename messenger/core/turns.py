"""So many at a time, and the others one after the other: what a semaphore is for; and the same for each user.

A turn always comes back, whatever its holder throws and whenever it is cancelled. It is handed on from the
event loop, never inside the call that gave it back: where what it was wanted for fails at once (the database
is away), a thousand who wait would each end inside the one before, up to the interpreter's limit, and who
breaks there takes turns with it for good. Twisted's DeferredSemaphore hands on inside `release`.
"""

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from twisted.internet.defer import Deferred

from messenger.wire.errors import Code, Problem


class Turns:
    """At most `count` turns are taken at a time; who waits is served in the order of coming."""

    def __init__(self, reactor: Any, count: int) -> None:
        self._reactor = reactor
        self._waiting: deque[Deferred[None]] = deque()
        self._handing_on = False
        self.free = count

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        return len(self._waiting)

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """One turn, for the time of a `with`."""
        await self.take()
        try:
            yield
        finally:
            self.give_back()

    async def take(self) -> None:
        """Wait for a turn, which `give_back` has to follow. Cancelled meanwhile, there was none."""
        if self.free and not self._waiting:
            self.free -= 1
            return
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        await waiting

    def give_back(self) -> None:
        """The turn is over."""
        self.free += 1
        self._hand_on_soon()

    def _hand_on_soon(self) -> None:
        if self._waiting and self.free and not self._handing_on:
            self._handing_on = True
            self._reactor.callLater(0, self._hand_on)

    def _hand_on(self) -> None:
        self._handing_on = False
        # As many as are free now: who ends at once and comes again must not hold up the event loop.
        for _ in range(self.free):
            if not self._waiting:
                break
            self.free -= 1
            self._waiting.popleft().callback(None)
        self._hand_on_soon()


class Shares:
    """Turns by subject: each has at most `count` at a time, and waits behind nobody but itself.

    So what one user asks for in a heap stands between nobody else's and its turn. At most `queue` wait of a
    subject. A turn may be given back late (`rest`): who gets much at once waits before it gets more. What is
    kept of a subject goes with its last turn.
    """

    def __init__(self, reactor: Any, count: int, queue: int) -> None:
        self._reactor = reactor
        self._count = count
        self._queue = queue
        self._turns: dict[str, Turns] = {}

    def __len__(self) -> int:
        return len(self._turns)

    @asynccontextmanager
    async def turn(self, subject: str) -> AsyncGenerator[None]:
        """One of the subject's turns, for the time of a `with`; Problem `rate_limited`."""
        await self.take(subject)
        try:
            yield
        finally:
            self.give_back(subject)

    async def take(self, subject: str) -> None:
        """Wait for one of the subject's turns, which `give_back` has to follow. Cancelled, there was none.

        Problem `rate_limited` where too many wait.
        """
        turns = self._turns.get(subject)
        if turns is None:
            turns = self._turns[subject] = Turns(self._reactor, self._count)
        elif turns.waiting >= self._queue:
            raise Problem(Code.rate_limited, "Too many calls wait for their turn.", retry_after=1)
        try:
            await turns.take()
        except BaseException:
            self._forget(subject, turns)
            raise

    def give_back(self, subject: str, rest: float = 0.0) -> None:
        """The turn is over, `rest` seconds from now."""
        if rest > 0:
            self._reactor.callLater(rest, self.give_back, subject)
            return
        turns = self._turns[subject]
        turns.give_back()
        self._forget(subject, turns)

    def _forget(self, subject: str, turns: Turns) -> None:
        if turns.free == self._count and not turns.waiting:
            del self._turns[subject]
