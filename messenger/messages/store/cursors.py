"""Devices' cursors and members' progress in PostgreSQL.

A cursor is how far a device has stored a conversation; the table has been called `message.places` ever since.
"""

from collections.abc import Sequence

from messenger.core.database.connection import Row
from messenger.core.database.pool import Database
from messenger.messages.model import Ack, Head, Mark, Members, Membership, Risen

# A device's cursor starts at what the conversation had come to when the device was made or its user joined,
# whichever was later. It is written down when the device first asks.
_FIRST_CURSORS = """
insert into message.places (device_id, conversation_id, seq, change)
select d.device_id, m.conversation_id,
    greatest(m.first_seq - 1, coalesce((
        select x.seq from message.messages x
        where x.conversation_id = m.conversation_id and x.created_at <= d.created_at
        order by x.seq desc limit 1), 0)),
    greatest(m.first_change - 1, coalesce((
        select h.change from message.changes h
        where h.conversation_id = m.conversation_id and h.created_at <= d.created_at
        order by h.change desc limit 1), 0))
from unnest(%(users)s::uuid[], %(devices)s::uuid[]) as a(user_id, device_id)
join message.members m on m.user_id = a.user_id
join auth.live_devices d on d.device_id = a.device_id and d.user_id = a.user_id
where (%(only)s::uuid is null or m.conversation_id = %(only)s)
    and not exists (
        select 1 from message.places p
        where p.device_id = d.device_id and p.conversation_id = m.conversation_id
    )
order by 1, 2
on conflict do nothing
"""

_MEMBERSHIPS = """
select a.device_id, m.conversation_id, least(c.last_seq, m.left_seq), least(c.last_change, m.left_change),
    p.seq, p.change, m.left_seq is not null
from unnest(%(users)s::uuid[], %(devices)s::uuid[]) as a(user_id, device_id)
join message.members m on m.user_id = a.user_id
join message.conversations c on c.conversation_id = m.conversation_id
left join message.places p on p.device_id = a.device_id and p.conversation_id = m.conversation_id
where (p.seq is null or m.left_seq is null or p.change < m.left_change or p.seq < m.left_seq)
    and (%(only)s::uuid is null or m.conversation_id = %(only)s)
"""

# CursorStore only rise, and stop at the head. A member's delivered_seq is the highest of its devices'.
# `least` passes over a null, so what was not said has to be kept apart: it acknowledges nothing.
_ACKNOWLEDGE = """
with acks as (
    select a.device_id, a.user_id, a.conversation_id, m.first_seq, m.first_change,
        case when a.seq is not null then least(a.seq, coalesce(m.left_seq, c.last_seq)) end as seq,
        case when a.change is not null then least(a.change, coalesce(m.left_change, c.last_change)) end
            as change, c.member_count
    from unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[])
        as a(device_id, user_id, conversation_id, seq, change)
    join message.members m on m.conversation_id = a.conversation_id and m.user_id = a.user_id
    join message.conversations c on c.conversation_id = a.conversation_id
), placed as (
    insert into message.places as p (device_id, conversation_id, seq, change)
    select device_id, conversation_id, coalesce(seq, first_seq - 1), coalesce(change, first_change - 1)
    from acks order by device_id, conversation_id
    on conflict (device_id, conversation_id) do update
        set seq = greatest(p.seq, excluded.seq), change = greatest(p.change, excluded.change)
        where p.seq < excluded.seq or p.change < excluded.change
)
update message.members m set delivered_seq = d.seq
from (
    select distinct on (conversation_id, user_id) conversation_id, user_id, device_id, seq, member_count
    from acks where seq is not null order by conversation_id, user_id, seq desc
) d
where m.conversation_id = d.conversation_id and m.user_id = d.user_id and m.delivered_seq < d.seq
returning m.conversation_id, m.user_id, d.device_id, m.delivered_seq, d.member_count
"""

_READ = """
update message.members m set read_seq = r.seq
from (
    select r.conversation_id, r.user_id, r.device_id, least(r.seq, c.last_seq) as seq, c.member_count
    from unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::bigint[])
        as r(conversation_id, user_id, device_id, seq)
    join message.conversations c on c.conversation_id = r.conversation_id
) r
where m.conversation_id = r.conversation_id and m.user_id = r.user_id and m.left_seq is null
    and m.read_seq < r.seq
returning m.conversation_id, m.user_id, r.device_id, m.read_seq, r.member_count
"""


class CursorStore:
    """Statements about cursors and progress."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def memberships(
        self, user_id: str, device_id: str, conversation_id: str | None = None
    ) -> list[Membership]:
        """The user's conversations with the device's cursor in each; one of them, or all.

        Those that the user has left are among them until the device has acknowledged the leaving.
        """
        return (await self._memberships([(user_id, device_id)], conversation_id))[user_id, device_id]

    async def memberships_of(
        self, devices: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], list[Membership]]:
        """The same of all conversations of several (user, device)."""
        return await self._memberships(devices, None)

    async def _memberships(
        self, devices: Sequence[tuple[str, str]], only: str | None
    ) -> dict[tuple[str, str], list[Membership]]:
        rows = await self._read_memberships(devices, only)
        new = {row[0] for row in rows if row[4] is None}
        if new:
            these = [one for one in devices if one[1] in new]
            await self._database.write(_FIRST_CURSORS, _parameters(these, only))
            rows = [row for row in rows if row[0] not in new]
            rows += await self._read_memberships(these, only)
        found: dict[str, list[Membership]] = {device_id: [] for _, device_id in devices}
        for device_id, name, seq, change, own_seq, own_change, left in rows:
            if own_seq is not None:  # else the device has been removed
                found[device_id].append(Membership(name, Head(seq, change), Head(own_seq, own_change), left))
        return {one: found[one[1]] for one in devices}

    async def _read_memberships(self, devices: Sequence[tuple[str, str]], only: str | None) -> list[Row]:
        return await self._database.read(_MEMBERSHIPS, _parameters(devices, only))

    async def first_seq(self, user_id: str, conversation_id: str) -> int | None:
        """Where the member's sight begins; None for who is no member."""
        rows = await self._database.read(
            "select first_seq from message.members"
            " where conversation_id = %s and user_id = %s and left_seq is null",
            (conversation_id, user_id),
        )
        return rows[0][0] if rows else None

    async def joined(self, seconds: float) -> list[tuple[str, str, int]]:
        """Conversation, user and first change of each membership that began in the last `seconds`.

        Those that have ended since are among them.
        """
        rows = await self._database.read(
            "select conversation_id, user_id, first_change from message.members"
            " where joined_at > now() - make_interval(secs => %s)",
            (seconds,),
        )
        return [(row[0], row[1], row[2]) for row in rows]

    async def members(self, conversation_ids: Sequence[str], most: int) -> list[Members]:
        """The members of these conversations, as far as they are there; of those of more than `most` only
        that they are so many."""
        rows = await self._database.read(
            "select c.conversation_id, c.last_change, case when c.member_count <= %s then array("
            "   select m.user_id::text from message.members m"
            "   where m.conversation_id = c.conversation_id and m.left_seq is null) end"
            " from message.conversations c where c.conversation_id = any(%s::uuid[])",
            (most, list(conversation_ids)),
        )
        return [Members(*row) for row in rows]

    async def conversations_of(self, user_id: str) -> list[str]:
        """All conversations that the user is in."""
        rows = await self._database.read(
            "select conversation_id from message.members where user_id = %s and left_seq is null", (user_id,)
        )
        return [row[0] for row in rows]

    async def acknowledge(self, acks: Sequence[Ack]) -> list[Risen]:
        """Move cursors up; gives the members whose delivered_seq has risen. Problem `unavailable` where a
        standby takes over meanwhile: what is acknowledged is of the former history.

        Conversations of others are passed over. No two acks may be of the same device and conversation.
        """
        marks, epoch = tuple(map(list, zip(*acks, strict=True))), self._database.epoch
        rows = await self._database.write(_ACKNOWLEDGE, marks, epoch=epoch)
        return [Risen(*row) for row in rows]

    async def read(self, marks: Sequence[Mark]) -> list[Risen]:
        """Move users' read_seq up; gives those that have risen. No two marks may be of the same member.
        Problem `unavailable` as `acknowledge`."""
        read, epoch = tuple(map(list, zip(*marks, strict=True))), self._database.epoch
        rows = await self._database.write(_READ, read, epoch=epoch)
        return [Risen(*row) for row in rows]


def _parameters(devices: Sequence[tuple[str, str]], only: str | None) -> dict[str, object]:
    users = [user_id for user_id, _ in devices]
    return {"users": users, "devices": [device_id for _, device_id in devices], "only": only}
