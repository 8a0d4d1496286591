"""How many sockets are let in at a time, so that those who are here are served meanwhile.

To let a socket in costs as much as ten messages or more. When an instance or a gateway has stopped thousands
come at once; taken as they come they would stand between everybody else and the reactor until each has been
served, too late for its client, which has given up by then and comes again. So AT_ONCE are let in, and the
next ones EVERY seconds after that, in the order of coming: whoever has something to say meanwhile has a turn
in between. Who waits costs next to nothing. More than MOST are sent away at once, to come back later.
"""

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred

from messenger.wire.errors import unavailable

AT_ONCE = 1
EVERY = 0.005  # seconds; so 200 a second at most
MOST = 3_000  # some seconds of them: clients have more patience than that
RETRY_SECONDS = 5


class Openings:
    """The queue before the door of an instance."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._free = AT_ONCE
        self._waiting: deque[Deferred[None]] = deque()
        self._timer: Any = None

    @property
    def waiting(self) -> int:
        """How many wait to be let in."""
        return len(self._waiting)

    async def turn(self) -> None:
        """Return when a socket may be let in; Problem `unavailable` where too many wait."""
        if self._timer is None:
            self._timer = self._reactor.callLater(EVERY, self._next)
        if self._free:
            self._free -= 1
            return
        if len(self._waiting) >= MOST:
            raise unavailable("Very many sockets are being opened.", RETRY_SECONDS)
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        await waiting

    def _next(self) -> None:
        self._timer = None
        self._free = AT_ONCE
        if self._waiting:
            self._timer = self._reactor.callLater(EVERY, self._next)
        while self._free and self._waiting:
            self._free -= 1
            self._waiting.popleft().callback(None)
