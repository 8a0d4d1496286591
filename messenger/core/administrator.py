"""A plain, blocking connection of the administrator's, for commands that read, check or fill whole schemas.

It logs in as `[database] admin_user`, who owns all schemas by membership. Every call that PostgreSQL refuses
is an error with one line: Busy where a lock or time ran out (nothing was changed, and it may be tried again),
else StartError.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import psycopg2
import psycopg2.extensions

from messenger.core.database.blocking import connect
from messenger.core.database.versions import error_line
from messenger.core.lifecycle import StartError
from messenger.core.settings import DatabaseSettings

FETCHED = 2_000  # rows that a stream asks for at a time
COPIED = 1 << 20

Row = tuple[Any, ...]
Parameters = Sequence[Any] | dict[str, Any] | None


class Busy(StartError):
    """A statement ran out of time, or did not get a lock in time."""


class Sink(Protocol):
    """A file that `copy_out` writes to."""

    def write(self, data: bytes, /) -> object: ...


class Administrator:
    """The connection. A statement may take `statement` seconds (0: any time), and wait `lock` seconds for a
    lock. Each statement is its own transaction, except within `transaction`. `role` is a name and a password
    to log in with instead; with `any_state` a standby will do."""

    def __init__(
        self,
        settings: DatabaseSettings,
        *,
        statement: float = 0.0,
        lock: float = 5.0,
        role: tuple[str, str] | None = None,
        any_state: bool = False,
    ) -> None:
        user, password = role or (settings.admin_user, settings.admin_password)
        self._where = f"PostgreSQL at {settings.where}"
        self._open = False
        with self._named("; see [database]"):
            self._connection: psycopg2.extensions.connection = connect(
                settings,
                any_state=any_state,
                user=user,
                password=password or None,
                application_name="messenger-admin",
                options=f"-c statement_timeout={int(statement * 1000)} -c lock_timeout={int(lock * 1000)}"
                " -c timezone=UTC",
            )
            self._connection.autocommit = True

    def close(self) -> None:
        """Let go; what is not committed is rolled back."""
        self._connection.close()

    def __enter__(self) -> "Administrator":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _named(self, advice: str = "") -> Iterator[None]:
        try:
            yield
        except (psycopg2.errors.LockNotAvailable, psycopg2.extensions.QueryCanceledError) as error:
            raise Busy(f"{self._where}: {error_line(error)}") from None
        except psycopg2.Error as error:
            raise StartError(f"{self._where}: {error_line(error)}{advice}") from None

    @contextmanager
    def transaction(self, *, snapshot: bool = False) -> Iterator[None]:
        """A transaction: what is done within is committed together, or not at all. With `snapshot` all of it
        reads one state of the database, and changes nothing."""
        assert not self._open
        self._open = True
        self._connection.set_session(
            isolation_level="repeatable read" if snapshot else "default",
            readonly=snapshot or "default",
            autocommit=False,
        )
        try:
            yield
            with self._named():
                self._connection.commit()
        finally:
            self._open = False
            if not self._connection.closed:
                with self._named():
                    self._connection.rollback()  # nothing, after a commit
                    self._connection.set_session("default", "default", autocommit=True)

    def rows(self, sql: str, parameters: Parameters = None) -> list[Row]:
        """All rows that a statement gives; none for one that gives no rows."""
        with self._named(), self._connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def value(self, sql: str, parameters: Parameters = None) -> Any:
        """The first column of the first row, None where there is none."""
        found = self.rows(sql, parameters)
        return found[0][0] if found else None

    def change(self, sql: str, parameters: Parameters = None) -> int:
        """How many rows a statement touched."""
        with self._named(), self._connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.rowcount

    def stream(self, sql: str, parameters: Parameters = None) -> Iterator[Row]:
        """The rows of a query, FETCHED at a time, however many they are; within `transaction`."""
        assert self._open
        with self._named(), self._connection.cursor("stream") as cursor:
            cursor.itersize = FETCHED
            cursor.execute(sql, parameters)
            yield from cursor

    def copy_out(self, query: str, sink: Sink) -> None:
        """Write a query's rows in COPY's text format."""
        with self._named(), self._connection.cursor() as cursor:
            cursor.copy_expert(f"copy ({query}) to stdout", sink, COPIED)

    def copy_in(self, table: str, columns: Sequence[str], source: Any) -> int:
        """Store rows in COPY's text format, from a binary file; how many there were."""
        with self._named(), self._connection.cursor() as cursor:
            statement = f"copy {table} ({', '.join(columns)}) from stdin"
            cursor.copy_expert(statement, source, COPIED)
            return cursor.rowcount
