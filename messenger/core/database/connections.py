"""The connections of a pool: made, replaced when they are lost, and all to one history of the database.

There may be several hosts, of which one is the primary (primary.py). Its history is read with each
connection; behind a pooler, where a server may be replaced unseen, it is looked at again every second in
which it was asked something. Where the history has changed, a standby has taken over: connections to the
former primary are ended, and whoever remembers something of the database is told (`on_epoch`) before
anything is asked of the new one.

A connection whose statement outlives the server's own time-out by `HUNG_SECONDS` counts as lost: a backend
whose postmaster was killed, or a host that went away without a word, never answers.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from messenger.core.database.connection import Connection
from messenger.core.database.leases import Leases
from messenger.core.database.primary import FAILURES, History, Hosts, Older, Unreachable, history_of
from messenger.core.database.versions import error_line
from messenger.core.hosts import Host
from messenger.core.lifecycle import StartError
from messenger.core.settings import DatabaseSettings
from messenger.core.waits import pause, within
from messenger.wire.errors import Problem, unavailable

CONNECT_SECONDS = 5.0  # of each host
HUNG_SECONDS = 5.0
WATCH_SECONDS = 1.0
RETRY_SECONDS = (0.1, 0.25, 0.5)

log = Logger()


class Connections:
    """`settings.connections` connections, made with libpq's `arguments` besides host and port."""

    def __init__(self, reactor: Any, settings: DatabaseSettings, arguments: dict[str, Any]) -> None:
        self._reactor = reactor
        self._settings = settings
        self._arguments = arguments
        self._hosts = Hosts(reactor, settings.hosts)
        self._history: History | None = None
        self._listeners: list[Callable[[], object]] = []
        self.stopping = False
        self._connecting: set[Deferred[None]] = set()
        self._made: set[Connection] = set()  # those that stand
        self._watched: Deferred[None] | None = None
        self._watching = LoopingCall(self._watch)
        self._watching.clock = reactor
        self._used = False  # since the server was looked at
        self.leases = Leases(reactor, settings.statement_timeout)
        self.lost = 0
        self.failovers = 0
        self._read_only = False

    @property
    def epoch(self) -> str:
        """An opaque word for the database's history."""
        return "" if self._history is None else self._history.word

    @property
    def no_primary(self) -> bool:
        """Whether there is no connection, and a server was found that takes no writes."""
        return self._read_only and not self.leases.all

    def on_epoch(self, listener: Callable[[], object]) -> None:
        """Call `listener()` when another history of the database has begun."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Make one, which may take `settings.wait` seconds. StartError."""
        where, deadline = self._settings.where, self._reactor.seconds() + self._settings.wait
        said = False
        while True:
            try:
                await self._connect()
                return
            except Unreachable as error:
                if error.refused or self._reactor.seconds() >= deadline:
                    raise StartError(f"PostgreSQL at {where}: {error}; see [database]") from None
                if not said:
                    log.warn("waiting for PostgreSQL at {where}: {reason}", where=where, reason=str(error))
                    said = True
            await pause(self._reactor, 0.5)

    def fill(self) -> None:
        """Make the others, and go on as long as the process lives."""
        for _ in range(self._settings.connections - 1):
            self._replace()
        self._watching.start(WATCH_SECONDS, now=False).addErrback(
            lambda why: log.failure("the primary is no longer watched; restart this instance", why)
        )

    def stop(self) -> None:
        """End all of them; who waits for one is told."""
        self.stopping = True
        if self._watching.running:
            self._watching.stop()
        for connecting in list(self._connecting):
            connecting.cancel()
        self.leases.turn_away()
        for connection in self.leases.all:
            connection.end()

    async def take(self) -> Connection:
        """A connection, which `leases.give_back` has to follow. Problem `unavailable`."""
        # After a loss there is none for a moment; a restart of PostgreSQL is worth a short queue.
        if self.stopping or not (self.leases.all or self._connecting):
            raise unavailable("The database is away or overloaded.")
        self._used = True
        return await self.leases.take()

    def end_stuck(self) -> None:
        """End those that PostgreSQL or their holder has forgotten."""
        oldest = self._reactor.seconds() - self._settings.statement_timeout - HUNG_SECONDS
        for connection in self.leases.all:
            if connection.asked is not None and connection.asked < oldest:
                where = self._settings.where
                log.warn(
                    "PostgreSQL at {where} does not answer a statement; the connection is replaced",
                    where=where,
                )
                connection.end()
        for connection in self.leases.stuck(oldest):
            log.error("a connection to PostgreSQL was not returned in time, which is a bug; it is closed")
            connection.end()

    # making and replacing

    async def _connect(self) -> None:
        connection = await self._hosts.connect(self._try)
        self._read_only = False
        self._take_history(connection)
        self._made.add(connection)
        self.leases.add(connection)

    async def _try(self, host: Host) -> Connection:
        connection = Connection(self._reactor, self._lose)
        try:
            await within(self._reactor, CONNECT_SECONDS, self._open(connection, host))
        except BaseException:
            connection.give_up()
            raise
        return connection

    async def _open(self, connection: Connection, host: Host) -> None:
        await connection.connect(host=host.name, port=host.port, **self._arguments)
        connection.history = await history_of(connection)
        self._check_history(connection.history)

    def _lose(self, connection: Connection) -> None:
        self.leases.remove(connection)
        # One that ends while it is tried was never served; who holds one may have given it back before this.
        if connection in self._made:
            self._made.remove(connection)
            if not self.stopping:
                self.lost += 1
                self._replace()

    def _replace(self) -> None:
        replacing = ensureDeferred(self._reconnect())
        self._connecting.add(replacing)
        replacing.addErrback(self._not_replaced)
        replacing.addBoth(lambda _: self._connecting.discard(replacing))

    def _not_replaced(self, why: Failure) -> None:
        if not self.stopping:
            log.failure("a lost connection to PostgreSQL could not be replaced", why)

    async def _reconnect(self) -> None:
        attempt = 0
        while not self.stopping:
            try:
                await self._connect()
                return
            except Unreachable as error:
                self._read_only = error.read_only
                if attempt == 0 and not self.leases.all:
                    where = self._settings.where
                    log.warn("PostgreSQL at {where} is away: {reason}", where=where, reason=str(error))
            await pause(self._reactor, RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
            attempt += 1

    # the history

    def _check_history(self, history: History) -> None:
        if self._history is not None and history.before(self._history):
            raise Older("it was the primary, and another has taken over: it has to be stopped")

    def _take_history(self, connection: Connection) -> None:
        """Where this connection's history is another than was known, nothing of the former one is kept."""
        known, self._history = self._history, connection.history
        if known is None or known == self._history:
            return
        self.failovers += 1
        log.warn(
            "PostgreSQL at {where}: a standby has taken over", event="failover", where=self._settings.where
        )
        for listener in self._listeners:
            try:
                listener()
            except Exception:
                log.failure("caches of a lost primary's data could not all be dropped; restart this instance")
        for one in self.leases.all:
            if one.history != self._history:
                one.end()

    def _watch(self) -> None:
        if self._used and self._watched is None and any(one.pooled for one in self.leases.all):
            self._used = False
            self._watched = ensureDeferred(self._look())
            self._watched.addErrback(lambda why: log.failure("the primary could not be checked", why))
            self._watched.addBoth(self._has_looked)

    def _has_looked(self, _: object) -> None:
        self._watched = None

    async def _look(self) -> None:
        try:
            connection = await self.leases.take()
        except Problem as problem:
            log.debug("the primary can't be looked at: {detail}", detail=problem.detail)
            return
        try:
            history = await history_of(connection)
            self._check_history(history)
            if history != connection.history:
                connection.history = history
                self._take_history(connection)
        except FAILURES as error:
            log.debug("a connection to PostgreSQL is ended: {reason}", reason=error_line(error))
            connection.end()
        finally:
            self.leases.give_back(connection)
