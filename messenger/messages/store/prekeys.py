"""Who has run out of one-time prekeys, by a view that the key service grants."""

from collections.abc import Sequence

from messenger.core.database.pool import Database


class PrekeyStore:
    """Statements about prekeys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def exhausted(self, device_ids: Sequence[str]) -> dict[str, bool]:
        """Whether each of the devices has published one-time prekeys and none is left."""
        found = await self._database.read(
            "select device_id from key.exhausted_devices where device_id = any(%s::uuid[])",
            (list(device_ids),),
        )
        gone = {row[0] for row in found}
        return {device_id: device_id in gone for device_id in device_ids}
