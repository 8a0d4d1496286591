"""Who has run out of one-time prekeys, by a view that the key service grants."""

from messenger.core.database import Database


class Prekeys:
    """Statements about prekeys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def exhausted(self, device_id: str) -> bool:
        """Whether the device has published one-time prekeys and none is left."""
        return bool(
            await self._database.read(
                "select 1 from key.exhausted_devices where device_id = %s", (device_id,)
            )
        )
