"""Statements that are committed together, and methods of stores that are one transaction each."""

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from messenger.core.database.connection import Connection, Parameters, Row

P = ParamSpec("P")
T = TypeVar("T")


class Transaction:
    """Statements that are committed together, for the service that owns `schema`.

    Handed to the body of `Database.transaction`.
    """

    def __init__(self, connection: Connection, schema: str) -> None:
        self._connection = connection
        self.schema = schema

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


def in_transaction(
    method: Callable[Concatenate[Any, Transaction, P], Awaitable[T]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """Make a store's method one transaction of its `_database` (see `Database.transaction`), which it is
    handed first: its callers give the other arguments only."""

    @wraps(method)
    async def run(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        result: T = await self._database.transaction(lambda tx: method(self, tx, *args, **kwargs))
        return result

    return run
