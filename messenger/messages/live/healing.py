"""Looking in PostgreSQL for what the bus may not have told: how far conversations have come, and who joined.

Three occasions. A gap in the bus puts all conversations with sockets here in doubt. A conversation that has
just become one of them is in doubt for what was heard while its membership was being read. And every
conversation is looked at now and then in any case, a few at a time, all within `seconds`: that heals what
nobody noticed, and costs little, so that sockets in conversations nobody writes in cost memory alone.

One reading at a time; what comes into doubt meanwhile waits for the next, once however often it was doubted.
"""

import random
from collections.abc import Callable
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from messenger.core.waits import pause
from messenger.messages.live.delivery import Delivery
from messenger.messages.live.hub import Hub
from messenger.wire.errors import Problem

if TYPE_CHECKING:
    from messenger.messages.store.cursors import CursorStore
    from messenger.messages.store.messages import MessageStore

GATHER_SECONDS = 0.1
BATCH = 1_000
TICK_SECONDS = 5.0
JOINED_SECONDS = 30.0  # a joining shows by then: longer than its transaction may take
JOININGS_SECONDS = 60.0  # between two looks for joinings without an occasion
RETRY_SECONDS = 0.5
BROKEN_SECONDS = 10.0

log = Logger()


class Healing:
    """A part of one instance. Each conversation with sockets here is looked at within `seconds`."""

    def __init__(
        self,
        reactor: Any,
        hub: Hub,
        messages: "MessageStore",
        cursors: "CursorStore",
        delivery: Delivery,
        join: Callable[[str, str], object],
        seconds: float,
    ) -> None:
        self._reactor = reactor
        self._hub = hub
        self._messages = messages
        self._cursors = cursors
        self._delivery = delivery
        self._join = join
        self._seconds = seconds
        self._doubted: dict[str, None] = {}
        self._round: list[str] = []
        self._share = 0  # of a round, in each tick
        self._joinings = False  # whether to look for joinings
        self._looked = reactor.seconds()  # for joinings, all that were before
        self._working = False
        self._ticking = LoopingCall(self._tick)
        self._ticking.clock = reactor
        self._phase: Any = None
        hub.on_made(self.doubt)

    async def start(self) -> None:
        """Begin at a moment of its own: not all instances at once."""
        self._phase = self._reactor.callLater(random.uniform(0, TICK_SECONDS), self._begin)  # noqa: S311

    def _begin(self) -> None:
        self._ticking.start(TICK_SECONDS).addErrback(
            lambda why: log.failure("missed events are no longer looked for; restart this instance", why)
        )

    async def stop(self) -> None:
        if self._phase is not None and self._phase.active():
            self._phase.cancel()
        if self._ticking.running:
            self._ticking.stop()

    @property
    def working(self) -> bool:
        """Whether something is being looked at, or about to be."""
        return self._working

    def gap(self) -> None:
        """Anything may have been missed."""
        self._joinings = True
        self._doubted.update(dict.fromkeys(self._hub.feeds))
        self._look_soon()

    def doubt(self, conversation_id: str) -> None:
        """Something may have been missed of this conversation."""
        self._doubted[conversation_id] = None
        self._look_soon()

    def _tick(self) -> None:
        if not self._round:
            self._round = list(self._hub.feeds)
            self._share = ceil(len(self._round) * TICK_SECONDS / self._seconds)
        due, self._round = self._round[-self._share :], self._round[: -self._share]
        self._doubted.update(dict.fromkeys(due))
        if self._reactor.seconds() - self._looked >= JOININGS_SECONDS:
            self._joinings = True
        self._look_soon()

    def _look_soon(self) -> None:
        if not self._working and (self._doubted or self._joinings):
            self._working = True
            self._reactor.callLater(GATHER_SECONDS, lambda: ensureDeferred(self._work()))

    async def _work(self) -> None:
        try:
            while self._doubted or self._joinings:
                await self._look()
        finally:
            self._working = False

    async def _look(self) -> None:
        names = list(islice(self._doubted, BATCH))
        joinings, self._joinings = self._joinings, False
        for name in names:
            del self._doubted[name]
        try:
            if joinings:
                await self._find_joined()
            await self._read_heads(names)
        except Problem as problem:
            log.warn("missed events can't be looked for: {detail}", detail=problem.detail)
            wait = RETRY_SECONDS
        except Exception:
            # Whatever it was, it is tried again: healing must not end.
            log.failure("missed events can't be looked for")
            wait = BROKEN_SECONDS
        else:
            return
        self._joinings = self._joinings or joinings
        self._doubted.update(dict.fromkeys(names))
        await pause(self._reactor, wait)

    async def _find_joined(self) -> None:
        began = self._reactor.seconds()
        for name, user_id, change in await self._cursors.joined(began - self._looked + JOINED_SECONDS):
            for connection in self._hub.sockets_of(user_id):
                follower = connection.followers.get(name)
                if follower is None or not follower.knows_joining(change):
                    self._join(user_id, name)
                    break
        self._looked = began

    async def _read_heads(self, names: list[str]) -> None:
        names = [name for name in names if name in self._hub.feeds]
        if names:
            for name, head in (await self._messages.heads(names)).items():
                self._delivery.reach(name, head)
