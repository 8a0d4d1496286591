"""Devices that want to be woken, in PostgreSQL; which of them are behind and away is read from there too."""

from collections.abc import Sequence
from typing import NamedTuple

from messenger.core.database.pool import Database
from messenger.messages.domain.push import SILENT, Subscriber
from messenger.wire.push import PushTarget

_NEWEST = 200  # of a conversation's unread messages so many are looked at: does one of them say something?

_CONNECTED = """
    select 1 from message.presence s
    join message.instances i on i.instance_id = s.instance_id and i.alive_until > now()
    where s.device_id = p.device_id
"""

# A device is woken where it is connected nowhere, was not woken lately without coming, and has not got what
# another user said (a message that is no `control`) since it subscribed or was last woken.
_MARK = f"""
with away as (
    select p.device_id, p.user_id, greatest(p.since, p.woken_at) as after
    from message.push p
    where p.due_at is null and not exists ({_CONNECTED})
        and (p.woken_at is null or p.woken_at < now() - make_interval(secs => %(window)s))
        and {{candidates}}
), behind as (
    select a.device_id from away a where exists (
        select 1 from message.members m
        join message.conversations c on c.conversation_id = m.conversation_id
        left join message.places l
            on l.device_id = a.device_id and l.conversation_id = m.conversation_id
        cross join lateral (
            select x.sender_id, x.kind, x.created_at from message.messages x
            where x.conversation_id = m.conversation_id and x.seq > greatest(m.first_seq - 1, l.seq)
            order by x.seq desc limit {_NEWEST}
        ) x
        where m.user_id = a.user_id and m.left_seq is null and {{conversations}}
            and c.updated_at > a.after and x.created_at > a.after
            and x.sender_id is distinct from a.user_id and x.kind <> '{SILENT}'
    )
)
update message.push p set due_at = now(), tries = 0
from behind b where p.device_id = b.device_id and p.due_at is null returning 1
"""  # noqa: S608 - composed of constants

_MARK_CONVERSATIONS = _MARK.format(
    candidates="""p.user_id in (
            select m.user_id from message.members m
            where m.conversation_id = any(%(ids)s::uuid[]) and m.left_seq is null
        )""",
    conversations="m.conversation_id = any(%(ids)s::uuid[])",
)
_MARK_USERS = _MARK.format(candidates="p.user_id = any(%(ids)s::uuid[])", conversations="true")
_MARK_DEVICES = _MARK.format(candidates="p.device_id = any(%(ids)s::uuid[])", conversations="true")

# What is under way is due again once its lease has ended. A device that is gone, or whose session has ended,
# gets nothing from that moment on; `sweep` removes it.
_CLAIM = """
update message.push p set due_at = now() + make_interval(secs => %s), tries = p.tries + 1
from (
    select d.device_id, d.due_at from message.push d
    where d.due_at <= now()
        and exists (select 1 from auth.live_devices v where v.device_id = d.device_id)
        and not exists (select 1 from auth.ended_sessions e where e.session_id = d.session_id)
    order by d.due_at limit %s for update of d skip locked
) d
where p.device_id = d.device_id
returning p.device_id, p.endpoint, p.p256dh, p.auth, p.tries, p.due_at::text,
    extract(epoch from now() - d.due_at)::float
"""


class Wake(NamedTuple):
    """A wake-up that this instance is to send. `lease` tells this try from any other; `late` is how many
    seconds ago it was due."""

    device_id: str
    endpoint: str
    p256dh: bytes
    auth: bytes
    tries: int
    lease: str
    late: float


class PushStore:
    """Statements about subscriptions and wake-ups."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, subscriber: Subscriber, target: PushTarget, most: int) -> bool:
        """Let the device be woken there; False where `most` devices of the user are already.

        That it was woken lately still holds: only coming back ends that.
        """
        rows = await self._database.write(
            "insert into message.push as p (device_id, user_id, session_id, endpoint, p256dh, auth)"
            " select d.* from (values (%s::uuid, %s::uuid, %s::uuid, %s, %s::bytea, %s::bytea))"
            "   as d(device_id, user_id, session_id, endpoint, p256dh, auth)"
            " where (select count(*) from message.push o where o.user_id = d.user_id"
            "   and o.device_id <> d.device_id"
            "   and exists (select 1 from auth.live_devices v where v.device_id = o.device_id)) < %s"
            " on conflict (device_id) do update set session_id = excluded.session_id,"
            "   endpoint = excluded.endpoint, p256dh = excluded.p256dh, auth = excluded.auth,"
            "   since = now(), due_at = null, tries = 0 returning 1",
            (
                subscriber.device_id,
                subscriber.user_id,
                subscriber.session_id,
                target.endpoint,
                bytes(target.p256dh),
                bytes(target.auth),
                most,
            ),
        )
        return bool(rows)

    async def endpoint(self, device_id: str) -> str | None:
        """Where the device is woken."""
        rows = await self._database.read(
            "select endpoint from message.push where device_id = %s", (device_id,)
        )
        return rows[0][0] if rows else None

    async def delete(self, device_id: str) -> None:
        """Wake the device no more."""
        await self._database.write("delete from message.push where device_id = %s", (device_id,))

    # who is to be woken

    async def mark_conversations(self, conversation_ids: Sequence[str], window: float) -> int:
        """Make a wake-up due to those away who are behind in these conversations; gives how many."""
        return await self._mark(_MARK_CONVERSATIONS, conversation_ids, window)

    async def mark_users(self, user_ids: Sequence[str], window: float) -> int:
        """The same for the devices of these users, in whatever conversation."""
        return await self._mark(_MARK_USERS, user_ids, window)

    async def mark_devices(self, device_ids: Sequence[str], window: float) -> int:
        """The same for these devices."""
        return await self._mark(_MARK_DEVICES, device_ids, window)

    async def _mark(self, statement: str, ids: Sequence[str], window: float) -> int:
        return len(await self._database.write(statement, {"ids": list(ids), "window": window}))

    async def page(self, after: str, limit: int) -> list[str]:
        """The next devices that have subscribed, by id."""
        rows = await self._database.read(
            "select device_id from message.push where device_id > %s order by device_id limit %s",
            (after, limit),
        )
        return [row[0] for row in rows]

    # sending

    async def claim(self, limit: int, lease: float) -> list[Wake]:
        """At most `limit` wake-ups that are due, for this instance alone for `lease` seconds."""
        return [Wake(*row) for row in await self._database.write(_CLAIM, (lease, limit))]

    async def woken(self, wake: Wake, lease: float) -> None:
        """It was sent, or given up: no other within the window from its claim on, unless the device comes."""
        await self._database.write(
            "update message.push set woken_at = due_at - make_interval(secs => %s), due_at = null, tries = 0"
            " where device_id = %s and due_at = %s::timestamptz",
            (lease, wake.device_id, wake.lease),
        )

    async def later(self, wake: Wake, seconds: float, *, counts: bool) -> None:
        """Try again in so many seconds; `counts` as a try."""
        await self._database.write(
            "update message.push set due_at = now() + make_interval(secs => %s), tries = tries - %s"
            " where device_id = %s and due_at = %s::timestamptz",
            (seconds, 0 if counts else 1, wake.device_id, wake.lease),
        )

    async def forget(self, wake: Wake) -> None:
        """The endpoint is gone."""
        await self._database.write(
            "delete from message.push where device_id = %s and endpoint = %s",
            (wake.device_id, wake.endpoint),
        )

    async def sweep(self) -> None:
        """Remove the subscriptions of devices that are gone and of sessions that have ended."""
        await self._database.write(
            "delete from message.push p"
            " where not exists (select 1 from auth.live_devices v where v.device_id = p.device_id)"
            " or exists (select 1 from auth.ended_sessions e where e.session_id = p.session_id)"
        )
