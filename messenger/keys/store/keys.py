"""The keys of devices in PostgreSQL; who exists is asked of auth's views.

Whatever changes or takes the keys of a device holds the lock of its row in key.devices, in the order of the
ids where there are several. A rule is judged on what is read after the lock is held.
"""

from collections.abc import Callable, Sequence

from messenger.core.database.connection import Row
from messenger.core.database.transaction import Store, Transaction, in_transaction
from messenger.core.outbox import record
from messenger.core.outgoing import Outgoing
from messenger.keys.model import Change, DeviceKeys
from messenger.wire.events import DeviceChanged
from messenger.wire.keys import KemPrekey, OneTimePrekey, SignedPrekey

_DEVICE = """
    select d.user_id, d.device_id, d.identity_key, d.signed_prekey_id, d.signed_prekey_created_at,
        d.highest_one_time_id, d.highest_kem_id, s.user_id is not null, e.identity_key,
        (select count(*) from key.one_time_prekeys o where o.device_id = d.device_id),
        (select count(*) from key.kem_prekeys k where k.device_id = d.device_id)
    from key.devices d
    join auth.live_devices l on l.device_id = d.device_id
    left join key.lists s on s.user_id = d.user_id
    left join key.listed_devices e on e.user_id = d.user_id and e.device_id = d.device_id
    where d.device_id = %s
"""


class KeyStore(Store):
    """Each method is atomic; events come back once they are committed."""

    async def device(self, device_id: str) -> DeviceKeys | None:
        """The keys that the device has published, None if it has published nothing."""
        rows = await self._database.read(_DEVICE, (device_id,))
        return _device(rows[0]) if rows else None

    @in_transaction
    async def alter(
        self, tx: Transaction, user_id: str, device_id: str, rule: Callable[[DeviceKeys], Change]
    ) -> list[Outgoing] | None:
        """Store what `rule` says under the device's lock; it raises Problem to refuse. None where the user
        has no such device."""
        if not await _lock(tx, user_id, device_id):
            await tx.write(
                """
                insert into key.devices (device_id, user_id)
                select device_id, user_id from auth.live_devices where device_id = %s and user_id = %s
                on conflict do nothing
                """,
                (device_id, user_id),
            )
            if not await _lock(tx, user_id, device_id):
                return None
        row = await tx.row(_DEVICE, (device_id,))
        if row is None:
            return None
        change = rule(_device(row))
        await _apply(tx, device_id, change)
        if not change.publishes and not change.waits:
            return []
        changed = DeviceChanged(event="published", user_id=user_id, device_id=device_id, waiting=change.waits)
        return await record(tx, [changed])


async def _lock(tx: Transaction, user_id: str, device_id: str) -> bool:
    rows = await tx.rows(
        "select 1 from key.devices where device_id = %s and user_id = %s for no key update",
        (device_id, user_id),
    )
    return bool(rows)


async def _apply(tx: Transaction, device_id: str, change: Change) -> None:
    if change.identity_key is not None:
        await tx.write(
            "update key.devices set identity_key = %s where device_id = %s", (change.identity_key, device_id)
        )
    if change.signed_prekey is not None:
        await _set_signed_prekey(tx, device_id, change.signed_prekey)
    if change.one_time:
        await _add_one_time(tx, device_id, change.one_time)
    kem = [*change.kem, *([] if change.last_resort is None else [change.last_resort])]
    if kem:
        await _add_kem(tx, device_id, change.kem, highest=max(one.key_id for one in kem))
    if change.last_resort is not None:
        await _set_last_resort(tx, device_id, change.last_resort)


async def _set_signed_prekey(tx: Transaction, device_id: str, prekey: SignedPrekey) -> None:
    await tx.write(
        """
        update key.devices set signed_prekey_id = %s, signed_prekey = %s, signed_prekey_signature = %s,
            signed_prekey_created_at = now()
        where device_id = %s
        """,
        (prekey.key_id, bytes(prekey.public_key), bytes(prekey.signature), device_id),
    )


async def _add_one_time(tx: Transaction, device_id: str, prekeys: Sequence[OneTimePrekey]) -> None:
    await tx.write(
        """
        with added as (
            insert into key.one_time_prekeys (device_id, key_id, public_key)
            select %(device_id)s, * from unnest(%(key_ids)s::integer[], %(public_keys)s::bytea[])
        )
        update key.devices set highest_one_time_id = %(highest)s where device_id = %(device_id)s
        """,
        {
            "device_id": device_id,
            "key_ids": [one.key_id for one in prekeys],
            "public_keys": [bytes(one.public_key) for one in prekeys],
            "highest": max(one.key_id for one in prekeys),
        },
    )


async def _add_kem(tx: Transaction, device_id: str, prekeys: Sequence[KemPrekey], *, highest: int) -> None:
    await tx.write(
        """
        with added as (
            insert into key.kem_prekeys (device_id, key_id, public_key, signature)
            select %(device_id)s, *
            from unnest(%(key_ids)s::integer[], %(public_keys)s::bytea[], %(signatures)s::bytea[])
        )
        update key.devices set highest_kem_id = %(highest)s where device_id = %(device_id)s
        """,
        {
            "device_id": device_id,
            "key_ids": [one.key_id for one in prekeys],
            "public_keys": [bytes(one.public_key) for one in prekeys],
            "signatures": [bytes(one.signature) for one in prekeys],
            "highest": highest,
        },
    )


async def _set_last_resort(tx: Transaction, device_id: str, prekey: KemPrekey) -> None:
    await tx.write(
        """
        insert into key.last_resort_prekeys (device_id, key_id, public_key, signature) values (%s, %s, %s, %s)
        on conflict (device_id) do update
        set key_id = excluded.key_id, public_key = excluded.public_key, signature = excluded.signature
        """,
        (device_id, prekey.key_id, bytes(prekey.public_key), bytes(prekey.signature)),
    )


def _device(row: Row) -> DeviceKeys:
    return DeviceKeys(
        user_id=row[0],
        device_id=row[1],
        identity_key=row[2],
        signed_prekey_id=row[3],
        signed_prekey_created_at=row[4],
        highest_one_time_id=row[5],
        highest_kem_id=row[6],
        has_list=row[7],
        listed_key=row[8],
        one_time_prekeys=row[9],
        kem_prekeys=row[10],
    )
