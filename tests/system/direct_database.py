"""A service's stores on PostgreSQL without a reactor: `run` of tests/fakes.py has what they give."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg2.extensions

from messenger.core.administrator import Administrator
from messenger.core.database.connection import Parameters, Row
from messenger.core.database.transaction import Transaction
from messenger.core.settings import DatabaseSettings

T = TypeVar("T")


class _Cursor:
    """What a Transaction runs its statements on."""

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    async def run(self, sql: str, parameters: Parameters | None) -> tuple[list[Row], int]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else [], cursor.rowcount


class DirectDatabase:
    """`read`, `write` and `transaction` of a Database, by a blocking connection of the service's own role."""

    def __init__(self, settings: DatabaseSettings, schema: str, password: str) -> None:
        administrator = Administrator(settings, role=(f"messenger_{schema}", password))
        self._connection = administrator._connection
        self._schema = schema

    def close(self) -> None:
        self._connection.close()

    async def read(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        return (await _Cursor(self._connection).run(sql, parameters))[0]

    write = read

    async def transaction(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        cursor: Any = _Cursor(self._connection)
        await cursor.run("begin", None)
        try:
            result = await body(Transaction(cursor, self._schema))
        except BaseException:
            await cursor.run("rollback", None)
            raise
        await cursor.run("commit", None)
        return result
