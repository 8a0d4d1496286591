"""The end of keys, in PostgreSQL: of devices that were removed, and of users who were deleted."""

from collections.abc import Sequence

from messenger.core.database.pool import Database
from messenger.wire.events import UserRemoval

SWEEP_BATCH = 1_000


class RemovalStore:
    """Each statement says by auth's views who is gone, whatever was asked for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def forget_devices(self, device_ids: Sequence[str]) -> None:
        """Delete the keys of those of these devices that auth no longer knows."""
        await self._database.write(
            """
            delete from key.devices where device_id in (
                select d.device_id from key.devices d
                where d.device_id = any(%s::uuid[])
                    and not exists (select from auth.live_devices l where l.device_id = d.device_id)
                order by d.device_id for update
            )
            """,
            (list(device_ids),),
        )

    async def forget_user(self, work: UserRemoval) -> None:
        """Delete the user's keys, list and vault, if auth says that the account was deleted."""
        # `key.accounts` is of a version before device lists: nothing but this touches it any more.
        await self._database.write(
            """
            with gone as (select user_id from auth.deleted_users where user_id = %s),
            list as (delete from key.lists s using gone where s.user_id = gone.user_id),
            vault as (delete from key.vault v using gone where v.user_id = gone.user_id),
            account as (delete from key.accounts a using gone where a.user_id = gone.user_id)
            delete from key.devices where device_id in (
                select d.device_id from key.devices d join gone on gone.user_id = d.user_id
                order by d.device_id for update of d
            )
            """,
            (work.user_id,),
        )

    async def forget_deleted(self) -> None:
        """Do the same for all deleted users, heard of or not."""
        while await self._forget_some_deleted():
            pass

    async def _forget_some_deleted(self) -> bool:
        rows = await self._database.write(
            """
            with gone as materialized (
                select g.user_id from auth.deleted_users g
                where exists (select from key.devices d where d.user_id = g.user_id)
                    or exists (select from key.lists s where s.user_id = g.user_id)
                    or exists (select from key.vault v where v.user_id = g.user_id)
                    or exists (select from key.accounts a where a.user_id = g.user_id)
                limit %s
            ),
            list as (delete from key.lists s using gone where s.user_id = gone.user_id returning 1),
            vault as (delete from key.vault v using gone where v.user_id = gone.user_id returning 1),
            account as (delete from key.accounts a using gone where a.user_id = gone.user_id returning 1),
            device as (
                delete from key.devices where device_id in (
                    select d.device_id from key.devices d join gone on gone.user_id = d.user_id
                    order by d.device_id for update of d skip locked
                ) returning 1
            )
            select (select count(*) from list) + (select count(*) from vault) + (select count(*) from account)
                + (select count(*) from device)
            """,
            (SWEEP_BATCH,),
        )
        return bool(rows[0][0])

    async def sweep(self) -> None:
        """Delete the keys of devices that auth no longer knows, heard of or not; a bounded number at a
        time."""
        await self._database.write(
            """
            delete from key.devices where device_id in (
                select d.device_id from key.devices d
                where not exists (select from auth.live_devices l where l.device_id = d.device_id)
                limit %s for update skip locked
            )
            """,
            (SWEEP_BATCH,),
        )
