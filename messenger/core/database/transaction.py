"""Statements that are committed together."""

from messenger.core.database.connection import Connection, Parameters, Row


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
