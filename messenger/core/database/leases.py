"""Who has which connection, and who waits for one.

A lease always comes back, whatever its holder throws and whenever it is cancelled. A connection that comes
back is handed on from the event loop, never inside the call that gave it back: a long queue would nest each
call's end in the one before, up to the interpreter's limit. One that comes back in the middle of a
transaction is ended.
"""

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from messenger.core.database.connection import Connection
from messenger.core.waits import within
from messenger.wire.errors import unavailable

QUEUE = 2_000

log = Logger()


class Leases:
    """The connections of a pool. At most QUEUE calls wait for one, each `wait` seconds at most."""

    def __init__(self, reactor: Any, wait: float) -> None:
        self._reactor = reactor
        self._wait = wait
        self._idle: list[Connection] = []
        self._leased: dict[Connection, float] = {}  # since when
        self._waiting: deque[Deferred[Connection]] = deque()
        self._handing_on: Any = None

    @property
    def all(self) -> list[Connection]:
        """The connections, those that are lent too."""
        return [*self._idle, *self._leased]

    @property
    def idle(self) -> int:
        """How many connections nobody uses."""
        return len(self._idle)

    @property
    def lent(self) -> int:
        """How many connections somebody has."""
        return len(self._leased)

    @property
    def waiting(self) -> int:
        """How many calls wait for one."""
        return len(self._waiting)

    def add(self, connection: Connection) -> None:
        """A new connection."""
        self._idle.append(connection)
        self._hand_on_soon()

    def remove(self, connection: Connection) -> None:
        """The connection has ended, whoever has it."""
        self._leased.pop(connection, None)
        if connection in self._idle:
            self._idle.remove(connection)

    async def take(self) -> Connection:
        """A connection, which `give_back` has to follow. Problem `unavailable` after too long a wait."""
        if self._idle and not self._waiting:
            return self._lend()
        if len(self._waiting) >= QUEUE:
            raise unavailable("The database is away or overloaded.")
        waiting: Deferred[Connection] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        try:
            return await within(self._reactor, self._wait, waiting)
        except TimeoutError:
            raise unavailable("The database is away or overloaded.") from None

    def give_back(self, connection: Connection) -> None:
        """The connection is done with."""
        self._leased.pop(connection, None)
        if connection.ended:
            return
        if not connection.at_rest:
            log.error(
                "a connection to PostgreSQL was returned inside a transaction, which is a bug; it is closed"
            )
            connection.end()
            return
        self.add(connection)

    def stuck(self, oldest: float) -> list[Connection]:
        """The connections that were lent, and asked nothing, since before this moment: held by nobody."""
        return [
            one
            for one, since in self._leased.items()
            if one.asked is None and max(since, one.answered) < oldest
        ]

    def turn_away(self) -> None:
        """Nobody is served any more: those who wait are told."""
        if self._handing_on is not None:
            self._handing_on.cancel()
            self._handing_on = None
        while self._waiting:
            self._waiting.popleft().errback(unavailable("The service is stopping."))

    def _lend(self) -> Connection:
        connection = self._idle.pop()
        self._leased[connection] = self._reactor.seconds()
        return connection

    def _hand_on_soon(self) -> None:
        if self._waiting and self._idle and self._handing_on is None:
            self._handing_on = self._reactor.callLater(0, self._hand_on)

    def _hand_on(self) -> None:
        self._handing_on = None
        # As many as wait now: who is served at once and comes again must not hold up the event loop.
        for _ in range(len(self._waiting)):
            if not self._idle or not self._waiting:
                break
            self._waiting.popleft().callback(self._lend())
        self._hand_on_soon()
