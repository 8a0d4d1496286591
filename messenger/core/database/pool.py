"""The pool of a service's connections: statements one a round trip where that is enough, and transactions.

A statement outside `transaction` is its own transaction and is committed when its call returns
(`synchronous_commit` is the server's, on).

When a connection dies, `read` is tried once more on another; `write` and `transaction` answer 503, since
nobody can tell whether the commit got through. Lost connections come back by themselves. A connection whose
statement outlives the server's own time-out by `HUNG_SECONDS` counts as lost: a backend whose postmaster was
killed, or a host that went away without a word, never answers. At most `QUEUE` calls
wait for a connection; the next is answered 503.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg2
import psycopg2.extensions
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from messenger.core.database.connection import Connection, Lost, Parameters, Row
from messenger.core.database.versions import first_line, role_of
from messenger.core.lifecycle import StartError
from messenger.core.settings import DatabaseSettings
from messenger.core.waits import pause, within
from messenger.wire.errors import unavailable

T = TypeVar("T")

QUEUE = 2_000
CONNECT_SECONDS = 5.0
HUNG_SECONDS = 5.0
RETRY_SECONDS = (0.1, 0.25, 0.5, 1.0)

log = Logger()


class Transaction:
    """Statements that are committed together. Handed to the body of `Database.transaction`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def rows(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        """All rows that the statement gives."""
        return (await self._connection.run(sql, parameters))[0]

    async def row(self, sql: str, parameters: Parameters | None = None) -> Row | None:
        """The first row, or None."""
        rows = await self.rows(sql, parameters)
        return rows[0] if rows else None

    async def write(self, sql: str, parameters: Parameters | None = None) -> int:
        """How many rows the statement touched."""
        return (await self._connection.run(sql, parameters))[1]


class Database:
    """A pool of `settings.connections` connections for the service that owns `schema`.

    `version` is what the schema must be at, or beyond: `start` checks it.
    """

    def __init__(
        self, reactor: Any, settings: DatabaseSettings, schema: str, password: str, version: str
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._schema = schema
        self._version = version
        self._arguments = {
            "host": settings.host,
            "port": settings.port,
            "dbname": settings.name,
            "sslmode": settings.sslmode,
            "gssencmode": "disable",  # there is a password; looking for Kerberos' tickets costs a megabyte
            "user": role_of(schema),
            "password": password,
            "application_name": f"messenger-{schema}",
            # The second: a process that hangs in a transaction must not hold its locks for ever.
            "options": f"-c statement_timeout={int(settings.statement_timeout * 1000)}"
            f" -c idle_in_transaction_session_timeout={int(settings.statement_timeout * 1000)}"
            " -c timezone=UTC",
        }
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._waiting: deque[Deferred[Connection]] = deque()
        self._stopping = False
        self._connecting: set[Deferred[None]] = set()
        self._patrol = LoopingCall(self._end_hung)
        self._patrol.clock = reactor
        self.lost = 0
        self.found = ""  # the schema's version when it was last looked at; it rises while this code runs

    @property
    def schemas(self) -> dict[str, str]:
        """The schema's version, by its name."""
        return {self._schema: self.found}

    @property
    def wanted(self) -> str:
        """The version that this code was written for."""
        return self._version

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self._all)

    @property
    def idle(self) -> int:
        """How many of them nobody uses."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """How many calls wait for one."""
        return len(self._waiting)

    # start and stop

    async def start(self) -> None:
        """Wait up to `settings.wait` seconds for PostgreSQL, and check the schema's version."""
        deadline = self._reactor.seconds() + self._settings.wait
        said = False
        while True:
            try:
                await self._connect()
                break
            except (psycopg2.Error, TimeoutError) as error:
                reason = first_line(error)
                if _is_refusal(error) or self._reactor.seconds() >= deadline:
                    raise StartError(f"PostgreSQL at {self._where}: {reason}; see [database]") from None
                if not said:
                    log.warn("waiting for PostgreSQL at {where}: {reason}", where=self._where, reason=reason)
                    said = True
            await pause(self._reactor, 0.5)
        await self._check_version()
        for _ in range(self._settings.connections - 1):
            self._replace()
        self._patrol.start(1.0, now=False).addErrback(lambda why: log.failure("the patrol ended", why))

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}/{self._settings.name}"

    async def _check_version(self) -> None:
        advice = "run `messenger-admin migrate`"
        try:
            await self.check()
        except psycopg2.Error:
            raise StartError(f"schema {self._schema} is not there or not granted: {advice}") from None
        # A newer schema is fine: migrations keep the version before them working.
        if self.found < self._version:
            raise StartError(
                f"schema {self._schema} is at {self.found or 'no version'}, this version needs"
                f" {self._version}: {advice}"
            )

    async def stop(self) -> None:
        self._stopping = True
        if self._patrol.running:
            self._patrol.stop()
        for connecting in list(self._connecting):
            connecting.cancel()
        while self._waiting:
            self._waiting.popleft().errback(unavailable("The service is stopping."))
        for connection in list(self._all):
            connection.end()

    # statements

    async def read(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        """The rows of a statement that changes nothing; tried once more if its connection dies."""
        try:
            return (await self._run(sql, parameters))[0]
        except Lost:
            try:
                return (await self._run(sql, parameters))[0]
            except Lost:
                raise unavailable("The database is away.") from None

    async def write(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        """The rows that a changing statement returns; 503 where nobody knows whether it was committed."""
        try:
            return (await self._run(sql, parameters))[0]
        except Lost:
            raise unavailable("The database went away.") from None

    async def transaction(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """What `body` returns, once everything it did has been committed; rolled back if it raises."""
        connection = await self._lease()
        try:
            await connection.run("begin", None)
            try:
                result = await body(Transaction(connection))
            except BaseException:
                if not connection.ended:
                    await connection.run("rollback", None)
                raise
            await connection.run("commit", None)
        except Lost:
            raise unavailable("The database went away.") from None
        except (psycopg2.extensions.QueryCanceledError, psycopg2.extensions.TransactionRollbackError):
            # A statement time-out; a deadlock or a serialization failure (class 40).
            raise unavailable("The database is too busy.") from None
        finally:
            self._release(connection)
        return result

    async def check(self) -> None:
        """Whether PostgreSQL answers, and at which version the schema is; raises if it does not."""
        rows = await self.read(f"select version_num from {self._schema}.alembic_version")  # noqa: S608
        self.found = rows[0][0] if rows else ""

    async def _run(
        self, sql: str, parameters: Parameters | None, *, again: bool = True
    ) -> tuple[list[Row], int]:
        connection = await self._lease()
        try:
            return await connection.run(sql, parameters)
        except psycopg2.extensions.QueryCanceledError:
            raise unavailable("The database is too busy.") from None  # a statement time-out
        except psycopg2.extensions.TransactionRollbackError:
            # A deadlock or a serialization failure (class 40): nothing of it was done.
            if not again:
                raise unavailable("The database is too busy.") from None
        finally:
            self._release(connection)
        return await self._run(sql, parameters, again=False)

    # the pool

    async def _lease(self) -> Connection:
        if self._idle:
            return self._idle.pop()
        if self._stopping or len(self._waiting) >= QUEUE or not (self._all or self._waiting_makes_sense()):
            raise unavailable("The database is away or overloaded.")
        waiting: Deferred[Connection] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        try:
            return await within(self._reactor, self._settings.statement_timeout, waiting)
        except TimeoutError:
            raise unavailable("The database is away or overloaded.") from None

    def _waiting_makes_sense(self) -> bool:
        # After a loss the pool is empty for a moment; a restart of PostgreSQL is worth a short queue.
        return bool(self._connecting)

    def _release(self, connection: Connection) -> None:
        if connection.ended:
            return
        if self._waiting:
            self._waiting.popleft().callback(connection)
        else:
            self._idle.append(connection)

    async def _connect(self) -> None:
        connection = Connection(self._reactor, self._lose)
        try:
            await within(self._reactor, CONNECT_SECONDS, connection.connect(**self._arguments))
        except BaseException:
            connection.give_up()
            raise
        self._all.add(connection)
        self._release(connection)

    def _end_hung(self) -> None:
        oldest = self._reactor.seconds() - self._settings.statement_timeout - HUNG_SECONDS
        for connection in list(self._all):
            if connection.asked is not None and connection.asked < oldest:
                log.warn("PostgreSQL at {where} leaves a statement without an answer", where=self._where)
                connection.end()

    def _lose(self, connection: Connection) -> None:
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._stopping:
            self.lost += 1
            self._replace()

    def _replace(self) -> None:
        replacing = ensureDeferred(self._reconnect())
        self._connecting.add(replacing)
        replacing.addBoth(lambda _: self._connecting.discard(replacing))

    async def _reconnect(self) -> None:
        attempt = 0
        while not self._stopping:
            try:
                await self._connect()
                return
            except (psycopg2.Error, TimeoutError) as error:
                if attempt == 0 and not self._all:
                    log.warn(
                        "PostgreSQL at {where} is away: {reason}",
                        where=self._where,
                        reason=first_line(error),
                    )
            await pause(self._reactor, RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
            attempt += 1


def _is_refusal(error: BaseException) -> bool:
    """Whether waiting can't help: the server said no to a name or a password."""
    text = str(error)
    return "authentication failed" in text or "does not exist" in text or "no password supplied" in text
