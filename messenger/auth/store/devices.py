"""Devices in PostgreSQL, and the removal of those, and of all else, that nobody uses any more."""

from messenger.auth.model import EndReason
from messenger.auth.store.transactions import end_device, end_sessions, lock_user, removed
from messenger.core.database.pool import Database
from messenger.core.database.transaction import Transaction, in_transaction
from messenger.core.outbox import record
from messenger.core.outgoing import Outgoing
from messenger.wire.auth import Device
from messenger.wire.times import moment_text

SWEEP_BATCH = 200


class DeviceStore:
    """Each method is atomic; events come back once they are committed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, user_id: str, current: str) -> list[Device]:
        """The user's devices, oldest first; `current` is marked."""
        rows = await self._database.read(
            "select device_id, device_name, created_at, last_seen_at from auth.devices"
            " where user_id = %s order by created_at, device_id",
            (user_id,),
        )
        return [
            Device(
                device_id=device_id,
                device_name=name,
                created_at=moment_text(created_at),
                last_seen_at=moment_text(last_seen_at),
                current=device_id == current,
            )
            for device_id, name, created_at, last_seen_at in rows
        ]

    @in_transaction
    async def remove(self, tx: Transaction, user_id: str, device_id: str) -> list[Outgoing] | None:
        """Remove a device and end its session; None where the user has no such device."""
        await lock_user(tx, user_id)
        ended = await end_device(tx, EndReason.removed, user_id, device_id)
        devices = await tx.rows(
            "delete from auth.devices where device_id = %s and user_id = %s returning device_id, user_id",
            (device_id, user_id),
        )
        return await record(tx, [*ended, *removed(devices)]) if devices else None

    @in_transaction
    async def remove_unseen(self, tx: Transaction, unseen: float) -> list[Outgoing]:
        """Remove devices not seen for `unseen` seconds, a bounded number at a time."""
        found = await tx.rows(
            "select device_id, user_id from auth.devices"
            " where last_seen_at < now() - %s * interval '1 second' order by last_seen_at limit %s",
            (unseen, SWEEP_BATCH),
        )
        if not found:
            return []
        device_ids = [row[0] for row in found]
        users = await tx.rows(
            "select user_id from auth.users where user_id = any(%s::uuid[])"
            " order by user_id for no key update skip locked",
            ([row[1] for row in found],),
        )
        await tx.rows(
            "select from auth.sessions where device_id = any(%s::uuid[]) and ended_at is null"
            " order by session_id for update",
            (device_ids,),
        )
        # The time is looked at again: a login or a refresh may have come in between.
        devices = await tx.rows(
            """
            delete from auth.devices
            where device_id = any(%s::uuid[]) and user_id = any(%s::uuid[])
                and last_seen_at < now() - %s * interval '1 second'
            returning device_id, user_id
            """,
            (device_ids, [user for (user,) in users], unseen),
        )
        ids = [device[0] for device in devices]
        where = "device_id = any(%(device_ids)s::uuid[])"
        ended = await end_sessions(tx, EndReason.removed, where, device_ids=ids)
        return await record(tx, [*ended, *removed(devices)])

    async def forget_expired(self) -> None:
        """Delete sessions, tickets, challenges and keys that are of no use any more, a bounded number."""
        # A session is kept for a day after that, so that its end is told with the right word.
        await self._database.write(
            """
            with old as (
                select session_id from auth.sessions
                where (ended_at < now() - interval '1 day' and token_until < now() - interval '1 day')
                    or expires_at < now() - interval '1 day'
                limit %s for update skip locked
            ) delete from auth.sessions s using old where s.session_id = old.session_id
            """,
            (SWEEP_BATCH,),
        )
        await self._database.write(
            """
            delete from auth.tickets where ticket_hash in (
                select ticket_hash from auth.tickets where expires_at < now()
                limit %s for update skip locked
            )
            """,
            (10 * SWEEP_BATCH,),
        )
        await self._database.write(
            """
            delete from auth.challenges where challenge_hash in (
                select challenge_hash from auth.challenges where expires_at < now()
                limit %s for update skip locked
            )
            """,
            (10 * SWEEP_BATCH,),
        )
        # A key is kept for a day after its last token has expired, for whoever looks into what happened.
        await self._database.write(
            "delete from auth.signing_keys where verify_until < now() - interval '1 day'"
        )
