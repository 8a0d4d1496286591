"""Keys in PostgreSQL, schema `key`; who exists is asked of auth's views.

A rule is judged under the lock of the device's row, on what is read after the lock is held. A claim is one
round trip, and no two claims of one device run at the same time.
"""

from collections.abc import Callable, Sequence

from messenger.core.database import Database, Row, Transaction
from messenger.core.ids import new_id
from messenger.keys import sql
from messenger.keys.ports import Asking, Change, Claimed, DeviceKeys, Event, Outgoing, StandingList
from messenger.wire.codec import Binary, Uuid, encode
from messenger.wire.events import DEVICE, PREKEYS, DeviceChanged, PrekeysLow
from messenger.wire.keys import (
    Bundle,
    BundleKemPrekey,
    BundleOneTimePrekey,
    BundleSignedPrekey,
    DeviceIdentity,
    DeviceList,
    Identities,
    ListedDevice,
    PendingDevice,
)
from messenger.wire.times import moment_text

SWEEP_BATCH = 1_000
SWEEP_CLAIMS = 20_000


class KeyStore:
    """The Store of messenger/keys/ports.py."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def device(self, device_id: str) -> DeviceKeys | None:
        rows = await self._database.read(sql.READ_DEVICE, (device_id,))
        return _device(rows[0]) if rows else None

    async def alter(
        self, user_id: str, device_id: str, rule: Callable[[DeviceKeys], Change]
    ) -> list[Outgoing] | None:
        async def body(tx: Transaction) -> list[Outgoing] | None:
            if not await tx.rows(sql.LOCK_DEVICE, (device_id, user_id)):
                await tx.write(sql.ADD_DEVICE, (device_id, user_id))
                if not await tx.rows(sql.LOCK_DEVICE, (device_id, user_id)):
                    return None
            row = await tx.row(sql.READ_DEVICE, (device_id,))
            if row is None:
                return None
            change = rule(_device(row))
            await _apply(tx, device_id, change)
            if not change.publishes:
                return []
            published = DeviceChanged(event="published", user_id=user_id, device_id=device_id)
            return [await _record(tx, DEVICE, published)]

        return await self._database.transaction(body)

    async def set_list(
        self, user_id: str, given: DeviceList, rule: Callable[[StandingList], None]
    ) -> list[Outgoing] | None:
        async def body(tx: Transaction) -> list[Outgoing] | None:
            await tx.rows(sql.LOCK_DEVICES_OF_USER, (user_id,))
            before = await tx.rows(sql.PUBLISHED_OF_USER, (user_id,))
            new = bytes(given.account_key), given.version, bytes(given.signature), user_id
            is_replaced = False
            if not await tx.rows(sql.ADD_LIST, new):
                row = await tx.row(sql.LOCK_LIST, (user_id,))
                if row is None:
                    return None
                rule(StandingList(row[0], row[1]))
                is_replaced = bytes(row[0]) != bytes(given.account_key)
                await tx.write(sql.SET_LIST, new)
                await tx.write(sql.CLEAR_LISTED, (user_id,))
            ids = [one.device_id for one in given.devices]
            keys = [bytes(one.identity_key) for one in given.devices]
            await tx.write(sql.ADD_LISTED, (user_id, ids, keys))
            after = await tx.rows(sql.PUBLISHED_OF_USER, (user_id,))
            # Under another account key each device is news, also where it is the same as before.
            changed = set(before) | set(after) if is_replaced else set(before) ^ set(after)
            return [
                await _record(
                    tx,
                    DEVICE,
                    DeviceChanged(
                        event="published" if one in after else "removed", user_id=user_id, device_id=one[0]
                    ),
                )
                for one in sorted(changed)
            ]

        return await self._database.transaction(body)

    async def identities(self, user_id: str) -> Identities | None:
        rows = await self._database.read(sql.IDENTITIES, (user_id,))
        if not rows:
            return None
        account_key, version, signature = rows[0][:3]
        listed, items, pending = [], [], []
        for _, _, _, device_id, listed_key, identity_key, published, name, created_at in rows:
            if listed_key is not None:
                listed.append(ListedDevice(Uuid(device_id), Binary(listed_key)))
            if published:
                items.append(DeviceIdentity(device_id=device_id, identity_key=identity_key))
            if identity_key is not None and identity_key != listed_key:
                waits = PendingDevice(
                    device_id=device_id,
                    identity_key=identity_key,
                    device_name=name,
                    created_at=moment_text(created_at),
                )
                pending.append(waits)
        device_list = None
        if account_key is not None:
            device_list = DeviceList(Binary(account_key), version, listed, Binary(signature))
        return Identities(device_list=device_list, items=items, pending=pending)

    async def user_exists(self, user_id: str) -> bool:
        return bool(await self._database.read(sql.USER_EXISTS, (user_id,)))

    async def claim(self, asking: Asking) -> Claimed:
        rows = await self._database.write(
            sql.CLAIM,
            (
                asking.user_id,
                list(asking.device_ids),
                asking.asker_id,
                asking.asker_device_id,
                asking.by_asker,
                asking.of_device,
                asking.low,
                PREKEYS,
            ),
        )
        if rows and rows[0][0] is not None:
            return Claimed([], max(1, rows[0][0]))
        events = [
            Outgoing(row[14], PREKEYS, PrekeysLow(device_id=row[2], one_time_prekeys=row[15]))
            for row in rows
            if row[14] is not None
        ]
        return Claimed([_bundle(row) for row in rows], None, events)

    async def forget_devices(self, device_ids: Sequence[str]) -> None:
        await self._database.write(sql.FORGET_DEVICES, (list(device_ids),))

    async def forget_user(self, user_id: str) -> None:
        await self._database.write(sql.FORGET_USER, (user_id,))

    async def forget_deleted(self) -> bool:
        return bool((await self._database.write(sql.FORGET_DELETED, (SWEEP_BATCH,)))[0][0])

    async def sweep(self) -> None:
        await self._database.write(sql.SWEEP_DEVICES, (SWEEP_BATCH,))

    async def sweep_claims(self) -> None:
        await self._database.write(sql.SWEEP_CLAIMS, (SWEEP_CLAIMS,))


async def _apply(tx: Transaction, device_id: str, change: Change) -> None:
    if change.identity_key is not None:
        await tx.write(sql.SET_IDENTITY, (change.identity_key, device_id))
    if change.signed_prekey is not None:
        one = change.signed_prekey
        await tx.write(
            sql.SET_SIGNED_PREKEY, (one.key_id, bytes(one.public_key), bytes(one.signature), device_id)
        )
    if change.one_time:
        await tx.write(
            sql.ADD_ONE_TIME,
            {
                "device_id": device_id,
                "key_ids": [one.key_id for one in change.one_time],
                "public_keys": [bytes(one.public_key) for one in change.one_time],
                "highest": max(one.key_id for one in change.one_time),
            },
        )
    kem = [*change.kem, *([] if change.last_resort is None else [change.last_resort])]
    if kem:
        await tx.write(
            sql.ADD_KEM,
            {
                "device_id": device_id,
                "key_ids": [one.key_id for one in change.kem],
                "public_keys": [bytes(one.public_key) for one in change.kem],
                "signatures": [bytes(one.signature) for one in change.kem],
                "highest": max(one.key_id for one in kem),
            },
        )
    if change.last_resort is not None:
        last = change.last_resort
        await tx.write(
            sql.SET_LAST_RESORT, (device_id, last.key_id, bytes(last.public_key), bytes(last.signature))
        )


async def _record(tx: Transaction, subject: str, event: Event) -> Outgoing:
    """Write an event into the outbox, to be sent after the commit."""
    event_id = new_id()
    await tx.write(sql.ADD_EVENT, (event_id, subject, encode(event)))
    return Outgoing(event_id, subject, event)


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


def _bundle(row: Row) -> Bundle:
    kem = BundleKemPrekey(row[9], row[10], row[11], row[12]) if row[9] is not None else None
    return Bundle(
        user_id=row[1],
        device_id=row[2],
        identity_key=row[3],
        signed_prekey=BundleSignedPrekey(row[4], row[5], row[6]),
        one_time_prekey=BundleOneTimePrekey(row[7], row[8]) if row[7] is not None else None,
        kem_prekey=kem,
        list_version=row[13],
    )
