"""Device lists in PostgreSQL: which devices are a user's, as the user's account key says."""

from collections.abc import Callable

from messenger.core.database.connection import Row
from messenger.core.database.pool import Database
from messenger.core.database.transaction import Transaction, in_transaction
from messenger.core.outbox import record
from messenger.core.outgoing import Outgoing
from messenger.keys.model import CurrentList
from messenger.wire.codec import Binary, Uuid
from messenger.wire.events import DeviceChanged
from messenger.wire.keys import DeviceIdentity, DeviceList, Identities, ListedDevice, PendingDevice
from messenger.wire.times import moment_text


class DeviceListStore:
    """Each method is atomic; events come back once they are committed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @in_transaction
    async def replace(
        self, tx: Transaction, user_id: str, given: DeviceList, rule: Callable[[CurrentList], None]
    ) -> list[Outgoing] | None:
        """Put the list in the place of the one that stands. Where one does, `rule` gets it and raises Problem
        to refuse. None where there is no such user."""
        await tx.rows(
            "select from key.devices where user_id = %s order by device_id for no key update", (user_id,)
        )
        before = await _published(tx, user_id)
        account_key = await _put(tx, user_id, given, rule)
        if account_key is None:
            return None
        await tx.write(
            "insert into key.listed_devices (user_id, device_id, identity_key)"
            " select %s, * from unnest(%s::uuid[], %s::bytea[])",
            (
                user_id,
                [one.device_id for one in given.devices],
                [bytes(one.identity_key) for one in given.devices],
            ),
        )
        after = await _published(tx, user_id)
        # Under another account key each device is news, also where it is the same as before.
        changed = before ^ after if account_key == bytes(given.account_key) else before | after
        return await record(
            tx,
            [
                DeviceChanged(
                    event="published" if one in after else "removed", user_id=user_id, device_id=one
                )
                for one in sorted(changed)
            ],
        )

    async def identities(self, user_id: str) -> Identities | None:
        """The user's list, published devices, and `pending` ones, of one moment; None where there is no such
        user."""
        # A row for each device that the list names or that has an identity key, in one snapshot: an answer
        # whose list is older than its devices would look like a server's lie.
        rows = await self._database.read(
            """
            select s.account_key, s.version, s.signature, x.device_id, x.listed_key, x.identity_key,
                x.published, x.device_name, x.created_at
            from auth.live_users u
            left join key.lists s on s.user_id = u.user_id
            left join lateral (
                select coalesce(e.device_id, d.device_id) as device_id, e.identity_key as listed_key,
                    d.identity_key, d.published, d.device_name, d.created_at
                from (select * from key.listed_devices l where l.user_id = u.user_id) e
                full join (
                    select k.device_id, k.identity_key, p.device_id is not null as published, n.device_name,
                        l.created_at
                    from key.devices k
                    join auth.live_devices l on l.device_id = k.device_id
                    join auth.device_names n on n.device_id = k.device_id
                    left join key.published_devices p on p.device_id = k.device_id
                    where k.user_id = u.user_id and k.identity_key is not null
                ) d on d.device_id = e.device_id
            ) x on true
            where u.user_id = %s order by x.device_id
            """,
            (user_id,),
        )
        return _identities(rows) if rows else None

    async def user_exists(self, user_id: str) -> bool:
        """Whether auth knows this user."""
        return bool(await self._database.read("select 1 from auth.live_users where user_id = %s", (user_id,)))


async def _published(tx: Transaction, user_id: str) -> set[str]:
    rows = await tx.rows("select device_id from key.published_devices where user_id = %s", (user_id,))
    return {device_id for (device_id,) in rows}


async def _put(
    tx: Transaction, user_id: str, given: DeviceList, rule: Callable[[CurrentList], None]
) -> bytes | None:
    """Store the list without its devices.

    Gives the account key that stood before, the new one where none did, None where there is no such user.
    """
    new = bytes(given.account_key), given.version, bytes(given.signature), user_id
    if await tx.rows(
        """
        insert into key.lists (user_id, account_key, version, signature)
        select user_id, %s, %s, %s from auth.live_users where user_id = %s
        on conflict do nothing returning 1
        """,
        new,
    ):
        return new[0]
    row = await tx.row("select account_key, version from key.lists where user_id = %s for update", (user_id,))
    if row is None:
        return None
    rule(CurrentList(row[0], row[1]))
    await tx.write(
        "update key.lists set account_key = %s, version = %s, signature = %s, created_at = now()"
        " where user_id = %s",
        new,
    )
    await tx.write("delete from key.listed_devices where user_id = %s", (user_id,))
    return bytes(row[0])


def _identities(rows: list[Row]) -> Identities:
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
