"""Who is seen where, in PostgreSQL: so that it holds across instances, and after one has crashed."""

from collections.abc import Sequence

from messenger.core.database.pool import Database
from messenger.messages.model import Seen

# Whom a user's presence is shown to: the peers of direct conversations in which it has written, no block.
_AUDIENCE = """
select m.user_id, o.user_id
from message.members m
join message.conversations c on c.conversation_id = m.conversation_id
join message.members o on o.conversation_id = m.conversation_id and o.user_id <> m.user_id
where m.user_id = any(%s::uuid[]) and c.type = 'direct' and m.wrote and not c.blocked and c.ended_at is null
"""

# The same the other way round, of those who are seen now.
_SEEN_BY = """
select m.user_id, o.user_id, max(p.status)
from message.members m
join message.conversations c on c.conversation_id = m.conversation_id
join message.members o on o.conversation_id = m.conversation_id and o.user_id <> m.user_id
join message.presence p on p.user_id = o.user_id
join message.instances i on i.instance_id = p.instance_id and i.alive_until > now()
where m.user_id = any(%s::uuid[]) and c.type = 'direct' and o.wrote and not c.blocked and c.ended_at is null
group by m.user_id, o.user_id
"""


class PresenceStore:
    """Statements about presence. `online` sorts above `away`, so a user is as present as its best device."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def renew(self, instance_id: str, seconds: float) -> bool:
        """Say that the instance lives for another `seconds`; False where it was taken for dead."""
        rows = await self._database.write(
            "insert into message.instances as i (instance_id, alive_until)"
            " values (%s, now() + make_interval(secs => %s))"
            " on conflict (instance_id) do update set alive_until = excluded.alive_until"
            " returning xmax <> 0",
            (instance_id, seconds),
        )
        return bool(rows[0][0])

    async def bury(self) -> list[str]:
        """Remove instances that have died, and what they had seen; gives those users, to one caller only."""
        rows = await self._database.write(
            "with dead as (delete from message.instances where alive_until < now() returning instance_id)"
            " delete from message.presence p using dead where p.instance_id = dead.instance_id"
            " returning p.user_id"
        )
        return sorted({row[0] for row in rows})

    async def leave(self, instance_id: str) -> list[str]:
        """The instance stops: remove it and what it had seen; gives those users."""
        rows = await self._database.write(
            "with gone as (delete from message.instances where instance_id = %(id)s)"
            " delete from message.presence where instance_id = %(id)s returning user_id",
            {"id": instance_id},
        )
        return sorted({row[0] for row in rows})

    async def note(self, instance_id: str, seen: Sequence[Seen], gone: Sequence[str]) -> None:
        """Write down who is seen on this instance, and which devices are not any more.

        Who is seen needs no waking, and may be woken again when it has gone.
        """
        await self._database.write(
            "with gone as ("
            "   delete from message.presence where device_id = any(%s::uuid[]) and instance_id = %s"
            " ), awake as ("
            "   update message.push set woken_at = null, due_at = null, tries = 0"
            "   where device_id = any(%s::uuid[]) and (woken_at is not null or due_at is not null)"
            " ) insert into message.presence as p (device_id, user_id, instance_id, status)"
            " select device_id, user_id, %s, status"
            " from unnest(%s::uuid[], %s::uuid[], %s::text[]) as s(device_id, user_id, status)"
            " on conflict (device_id) do update set instance_id = excluded.instance_id,"
            "   status = excluded.status",
            (
                list(gone),
                instance_id,
                here := [one.device_id for one in seen],
                instance_id,
                here,
                [one.user_id for one in seen],
                [one.status for one in seen],
            ),
        )

    async def status(self, user_ids: Sequence[str]) -> dict[str, str]:
        """`online` or `away` of those of the users who are seen on an instance that lives."""
        rows = await self._database.read(
            "select p.user_id, max(p.status) from message.presence p"
            " join message.instances i on i.instance_id = p.instance_id and i.alive_until > now()"
            " where p.user_id = any(%s::uuid[]) group by p.user_id",
            (list(user_ids),),
        )
        return {row[0]: row[1] for row in rows}

    async def audience(self, user_ids: Sequence[str]) -> dict[str, list[str]]:
        """Whom each user's presence is shown to."""
        found: dict[str, list[str]] = {}
        for user_id, peer_id in await self._database.read(_AUDIENCE, (list(user_ids),)):
            found.setdefault(user_id, []).append(peer_id)
        return found

    async def seen_by(self, user_ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """For each user (peer, status) of those who are seen now and whose presence is shown to it."""
        found: dict[str, list[tuple[str, str]]] = {user_id: [] for user_id in user_ids}
        for user_id, peer_id, status in await self._database.read(_SEEN_BY, (list(user_ids),)):
            found[user_id].append((peer_id, status))
        return found
