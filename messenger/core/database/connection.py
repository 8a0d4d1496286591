"""One connection to PostgreSQL: what psycopg2 and txpostgres give, fitted to the reactor and to our types.

Rows come as tuples; ids are text, times are datetimes with a zone, bytea is bytes.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import psycopg2
import psycopg2.errorcodes
import psycopg2.extensions
from twisted.internet.defer import CancelledError, Deferred
from txpostgres import txpostgres

if TYPE_CHECKING:
    from messenger.core.database.primary import History

Row = tuple[Any, ...]
Parameters = Sequence[Any] | dict[str, Any]

UniqueViolation = psycopg2.errors.lookup(psycopg2.errorcodes.UNIQUE_VIOLATION)
ForeignKeyViolation = psycopg2.errors.lookup(psycopg2.errorcodes.FOREIGN_KEY_VIOLATION)

_CONNECTION_OK = 0  # libpq's ConnStatusType
_TRANSACTION_IDLE = psycopg2.extensions.TRANSACTION_STATUS_IDLE
# idle_in_transaction_session_timeout and, from PostgreSQL 17, transaction_timeout; read_only_sql_transaction,
# for behind a pooler a standby may have replaced the primary
_ENDS_SESSION = ("25P03", "25P04", "25006")

# Ids come as text everywhere: a UUID object would be made only to be turned back into text.
_UUIDS = psycopg2.extensions.new_type((2950,), "UUID_TEXT", lambda value, cursor: value)
_UUID_ARRAYS = psycopg2.extensions.new_array_type((2951,), "UUID_TEXT[]", _UUIDS)


def _bytes_of(value: Any, cursor: Any) -> bytes | None:
    view = psycopg2.BINARY(value, cursor)
    return None if view is None else bytes(view)


_BYTEA = psycopg2.extensions.new_type((17,), "BYTEA_BYTES", _bytes_of)
_BYTEA_ARRAYS = psycopg2.extensions.new_array_type((1001,), "BYTEA_BYTES[]", _BYTEA)
for _kind in (_UUIDS, _UUID_ARRAYS, _BYTEA, _BYTEA_ARRAYS):
    psycopg2.extensions.register_type(_kind)


class Lost(Exception):
    """The connection to PostgreSQL ended before the answer came."""


class Connection(txpostgres.Connection):  # type: ignore[misc]
    """A connection that stays registered with the reactor.

    txpostgres adds and removes the socket for each query, which is a good part of a query's cost; staying
    also tells at once when the server goes away.

    While it connects, libpq may close its socket and go on with another (the next address, another way to
    encrypt). The reactor knows sockets by their numbers, and a closed one's number soon belongs to somebody
    else: so it is told to let go of the socket before libpq can close it, by the number that it knows.
    """

    _pollingD: Deferred[Any] | None

    def __init__(self, reactor: Any, lost: Callable[["Connection"], None]) -> None:
        super().__init__(reactor=reactor)
        self._lost = lost
        self._watched = -1  # the socket's number as the reactor knows it
        self._connected = False
        self.asked: float | None = None  # when the statement was sent that is not answered yet
        self.answered = 0.0  # when the last one was
        self.history: History | None = None  # the server's, once that was asked
        self.pooled = True  # nobody knows better: another server may come to stand behind it, unseen
        self.ended = False

    @property
    def process_id(self) -> int:
        """Of the server process at the other end, as it has said when the connection was made."""
        return int(self._connection.info.backend_pid)

    def fileno(self) -> int:
        return self._watched

    def poll(self) -> Deferred[Any]:
        # txpostgres would turn a statement time-out into a cancellation, and leak on a real one.
        waiting: Deferred[Any] = Deferred()
        self._pollingD = waiting
        self.continuePolling()
        return waiting

    def continuePolling(self, swallowErrors: bool = False) -> None:
        if not self._connected:
            self._unwatch()
        try:
            state = self.pollable().poll()
        except psycopg2.Error as error:
            if self._connected and self._broken:
                self.end()
            self._answer(error)
            return
        if self._watched == -1:
            self._watched = self.pollable().fileno()
        if state == psycopg2.extensions.POLL_OK:
            self._connected = True
            self.reactor.addReader(self)
            self._answer(None)
        elif state == psycopg2.extensions.POLL_WRITE:
            self.reactor.addWriter(self)
        else:
            self.reactor.addReader(self)

    def _answer(self, error: Exception | None) -> None:
        waiting, self._pollingD = self._pollingD, None
        if waiting is None:
            return
        if error is None:
            waiting.callback(self)
        else:
            waiting.errback(error)

    def doRead(self) -> None:
        if not self.ended:
            self.continuePolling()

    def doWrite(self) -> None:
        self.reactor.removeWriter(self)
        if not self.ended:
            self.continuePolling()

    def connectionLost(self, reason: Any) -> None:
        self.end()

    def end(self) -> None:
        """Let go of the socket, whatever state it is in."""
        if self.ended:
            return
        self.ended = True
        self._unwatch()
        self._connection.close()
        self._answer(Lost())
        self._lost(self)

    @property
    def _broken(self) -> bool:
        # psycopg2 says `closed` later, if at all; libpq's socket is gone by then.
        return bool(self._connection.closed) or self._connection.info.status != _CONNECTION_OK

    @property
    def at_rest(self) -> bool:
        """Whether no statement is under way and no transaction open: what libpq knows without asking."""
        at_rest: bool = self._connection.info.transaction_status == _TRANSACTION_IDLE
        return at_rest

    def give_up(self) -> None:
        """Let go of a connection that was never made."""
        self.ended = True
        self._unwatch()
        if self._connection is not None:
            self._connection.close()

    def _unwatch(self) -> None:
        self.reactor.removeReader(self)
        self.reactor.removeWriter(self)
        self._watched = -1

    async def run(self, sql: str, parameters: Parameters | None) -> tuple[list[Row], int]:
        """The statement's rows and its row count."""
        if self.ended:
            raise Lost()
        cursor = self._connection.cursor()
        self.asked = self.reactor.seconds()
        try:
            cursor.execute(sql, parameters)
            await self.poll()
            return (cursor.fetchall() if cursor.description else []), cursor.rowcount
        except psycopg2.OperationalError as error:
            # A deadlock or a lock time-out is an OperationalError too; a dead connection bears no code, or
            # one of class 57P (the server is going down).
            if error.pgcode is None or error.pgcode.startswith("57P"):
                self.end()
                raise Lost(str(error)) from error
            raise
        except psycopg2.InterfaceError as error:
            self.end()
            raise Lost() from error
        except psycopg2.Error as error:
            if self.ended or error.pgcode in _ENDS_SESSION or self._broken:
                self.end()
                raise Lost(str(error)) from error
            raise
        except CancelledError:
            self._pollingD = None
            self.end()  # the answer is still on its way: nobody else may read it
            raise
        finally:
            self.asked, self.answered = None, self.reactor.seconds()
            if not self.ended:
                cursor.close()
