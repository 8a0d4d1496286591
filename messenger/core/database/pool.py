"""The pool of a service's connections: statements one a round trip where that is enough, and transactions.

A statement outside `transaction` is its own transaction and is committed when its call returns
(`synchronous_commit` is the server's, on).

When a connection dies, `read` is tried once more on another; `write` and `transaction` answer 503, since
nobody can tell whether the commit got through. Lost connections come back by themselves (connections.py). At
most `QUEUE` calls wait for a connection; the next is answered 503.

Reads that may take long (pages of many messages) are `bulk`: half of the connections are never theirs, so
that what is to be committed waits behind none of them.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg2
import psycopg2.extensions
from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from messenger.core.database.connection import Connection, Lost, Parameters, Row
from messenger.core.database.connections import Connections
from messenger.core.database.leases import QUEUE
from messenger.core.database.refusals import NoPrimary, TakenBack, gone, refused, store_and_take_back
from messenger.core.database.transaction import Transaction
from messenger.core.database.versions import error_line, role_of
from messenger.core.lifecycle import StartError
from messenger.core.room import DiskFull, Floor, Room
from messenger.core.settings import DatabaseSettings
from messenger.core.turns import Turns
from messenger.core.waits import within
from messenger.wire.errors import Problem, unavailable

T = TypeVar("T")

PATROL_SECONDS = 1.0

log = Logger()


class Database:
    """A pool of `settings.connections` connections for the service that owns `schema`.

    `version` is what the schema must be at, or beyond: `start` checks it. `floor` is that of PostgreSQL's
    disk, where that is this machine's.
    """

    def __init__(
        self,
        reactor: Any,
        settings: DatabaseSettings,
        schema: str,
        password: str,
        version: str,
        floor: Floor | None = None,
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._schema = schema
        self._version = version
        arguments = {
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
        self._connections = Connections(reactor, settings, arguments)
        self._leases = self._connections.leases
        self._bulk = Turns(reactor, max(1, settings.connections // 2))
        self._patrol: Any = None
        self.room = Room(reactor.seconds, "PostgreSQL", floor)
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
    def epoch(self) -> str:
        """An opaque word for the database's history: another one, where a standby has taken over."""
        return self._connections.epoch

    def on_epoch(self, listener: Callable[[], object]) -> None:
        """Call `listener()` when another history of the database has begun, before anybody is served from it;
        before `start`."""
        self._connections.on_epoch(listener)

    @property
    def failovers(self) -> int:
        """How often a standby has taken over while this process ran."""
        return self._connections.failovers

    @property
    def lost(self) -> int:
        """How many connections ended unasked."""
        return self._connections.lost

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self._leases.all)

    @property
    def idle(self) -> int:
        """How many of them nobody uses."""
        return self._leases.idle

    @property
    def waiting(self) -> int:
        """How many calls wait for one."""
        return self._leases.waiting + self._bulk.waiting

    # start and stop

    async def start(self) -> None:
        """Wait up to `settings.wait` seconds for PostgreSQL, and check the schema's version."""
        await self._connections.start()
        await self._check_version()
        self._connections.fill()

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
        if self._patrol is not None:
            self._patrol.cancel()
            self._patrol = None
        self._connections.stop()

    # statements

    async def read(self, sql: str, parameters: Parameters | None = None, *, bulk: bool = False) -> list[Row]:
        """The rows of a statement that changes nothing; tried once more if its connection dies.

        A `bulk` one waits for its turn among those.
        """
        if not bulk:
            return await self._read(sql, parameters)
        if self._bulk.waiting >= QUEUE:
            raise unavailable("The database is away or overloaded.")
        try:
            await within(self._reactor, self._settings.statement_timeout, self._bulk.take())
        except TimeoutError:
            raise unavailable("The database is away or overloaded.") from None
        try:
            return await self._read(sql, parameters)
        finally:
            self._bulk.give_back()

    async def _read(self, sql: str, parameters: Parameters | None) -> list[Row]:
        try:
            return (await self._run(sql, parameters))[0]
        except Lost:
            try:
                return (await self._run(sql, parameters))[0]
            except Lost:
                raise unavailable("The database is away.") from None

    async def write(
        self, sql: str, parameters: Parameters | None = None, *, epoch: str | None = None
    ) -> list[Row]:
        """The rows that a changing statement returns; 503 where nobody knows whether it was committed, and
        where another epoch than `epoch` has begun. Problem `DiskFull` where there is no room."""
        self._check_room()
        try:
            return (await self._run(sql, parameters, epoch=epoch))[0]
        except Lost as lost:
            raise gone(self.room, lost) from None

    async def transaction(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `body` and give what it returns once everything it did has been committed; rolled back if it
        raises. Problem `DiskFull` where there is no room."""
        self._check_room()
        return await self._transaction(body)

    async def _transaction(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        connection = await self._lease()
        try:
            await connection.run("begin", None)
            try:
                result = await body(Transaction(connection, self._schema))
            except BaseException:
                await self._roll_back(connection)
                raise
            await connection.run("commit", None)
        except Lost as lost:
            raise gone(self.room, lost) from None
        except (psycopg2.extensions.QueryCanceledError, psycopg2.extensions.TransactionRollbackError):
            # A statement time-out; a deadlock or a serialization failure (class 40).
            raise unavailable("The database is too busy.") from None
        except psycopg2.OperationalError as error:
            raise refused(self.room, error) from None
        finally:
            self._leases.give_back(connection)
        return result

    def _check_room(self) -> None:
        """Return where something may be stored; else see to it that somebody looks again."""
        try:
            self.room.check()
        except DiskFull:
            self._patrol_soon()
            raise

    async def _try_room(self) -> None:
        """See whether there is room again."""
        try:
            self.room.check()
            await self._transaction(store_and_take_back(self._schema))
        except TakenBack:
            self.room.found()
        except Problem as problem:
            log.debug("PostgreSQL still has no room: {detail}", detail=problem.detail)
        except Exception:
            log.failure(
                "it could not be found out whether PostgreSQL's disk has room again; that is tried again"
            )

    async def _roll_back(self, connection: Connection) -> None:
        if connection.ended:
            return
        try:
            await connection.run("rollback", None)
        except (psycopg2.Error, Lost) as error:
            # What `body` raised matters more; the server undoes what a lost connection began.
            log.warn("a transaction could not be rolled back: {reason}", reason=error_line(error))
            connection.end()

    async def check(self) -> None:
        """Whether PostgreSQL answers, and at which version the schema is; raises if it does not."""
        if self._connections.no_primary:
            raise NoPrimary()
        rows = await self.read(f"select version_num from {self._schema}.alembic_version")  # noqa: S608
        self.found = rows[0][0] if rows else ""
        if self.room.full:
            raise self.room.problem()

    async def _run(
        self, sql: str, parameters: Parameters | None, *, again: bool = True, epoch: str | None = None
    ) -> tuple[list[Row], int]:
        connection = await self._lease()
        try:
            if epoch is not None and epoch != self.epoch:
                raise unavailable("A standby of the database has taken over.")
            return await connection.run(sql, parameters)
        except psycopg2.extensions.QueryCanceledError:
            raise unavailable("The database is too busy.") from None  # a statement time-out
        except psycopg2.extensions.TransactionRollbackError:
            # A deadlock or a serialization failure (class 40): nothing of it was done.
            if not again:
                raise unavailable("The database is too busy.") from None
        except psycopg2.OperationalError as error:
            raise refused(self.room, error) from None
        finally:
            self._leases.give_back(connection)
        return await self._run(sql, parameters, again=False, epoch=epoch)

    async def _lease(self) -> Connection:
        connection = await self._connections.take()
        self._patrol_soon()
        return connection

    def _patrol_soon(self) -> None:
        if self._patrol is None and not self._connections.stopping:
            self._patrol = self._reactor.callLater(PATROL_SECONDS, self._go_round)

    def _go_round(self) -> None:
        """Look after what is lent, for as long as something is; while there is no room, for that too."""
        self._patrol = None
        try:
            self._end_stuck()
        finally:
            if self._leases.lent or self.room.full:
                self._patrol_soon()

    def _end_stuck(self) -> None:
        self._connections.end_stuck()
        if self.room.due:
            ensureDeferred(self._try_room())
