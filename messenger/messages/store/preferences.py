"""Users' wishes in PostgreSQL."""

from messenger.core.database.pool import Database
from messenger.wire.preferences import Groups


class PreferenceStore:
    """Statements about preferences."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def groups(self, user_id: str) -> Groups | None:
        """Who may add the user to groups, where it has said so."""
        rows = await self._database.read(
            "select groups from message.preferences where user_id = %s", (user_id,)
        )
        return rows[0][0] if rows else None

    async def put(self, user_id: str, groups: Groups) -> None:
        """Say so."""
        await self._database.write(
            "insert into message.preferences (user_id, groups) values (%s, %s)"
            " on conflict (user_id) do update set groups = excluded.groups",
            (user_id, groups),
        )
