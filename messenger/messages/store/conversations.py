"""Conversations and members in PostgreSQL: what they are, and each change as one tx."""

from collections.abc import Callable

from messenger.core.database.connection import UniqueViolation
from messenger.core.database.pool import Database
from messenger.core.database.transaction import Transaction, in_transaction
from messenger.messages.model import (
    ConversationRow,
    Creation,
    Decide,
    Head,
    HeadsEvent,
    MemberProgress,
    Unchanged,
)
from messenger.messages.store import changing

_UNREAD = """
    (select count(*) from (
        select 1 from message.messages x
        where x.conversation_id = c.conversation_id and x.seq > greatest(m.read_seq, m.first_seq - 1)
            and x.sender_id is distinct from m.user_id and not x.deleted
        limit 1000
    ) unread)
"""

_CONVERSATION = f"""
select c.conversation_id, c.type, c.metadata, c.message_ttl,
    (extract(epoch from c.created_at) * 1000)::bigint, (extract(epoch from c.updated_at) * 1000)::bigint,
    (extract(epoch from c.ended_at) * 1000)::bigint,
    m.first_seq, c.last_seq, c.last_change, m.role, m.read_seq, {_UNREAD}, c.member_count
from message.members m join message.conversations c on c.conversation_id = m.conversation_id
where m.user_id = %(user)s and m.left_seq is null
"""  # noqa: S608 - composed of constants

_STRANGERS = """
select o.user_id, coalesce(p.groups, 'anyone')
from unnest(%(others)s::uuid[]) as o(user_id) left join message.preferences p on p.user_id = o.user_id
where not exists (
    select 1 from message.conversations c
    where c.pair = least(o.user_id, %(user)s::uuid) || ' ' || greatest(o.user_id, %(user)s::uuid)
        and c.ended_at is null and not c.blocked
)
"""


class ConversationStore:
    """Statements about conversations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, creation: Creation) -> tuple[str, HeadsEvent | None]:
        """The new conversation's id and its event; or the id of the one that stands, and None."""
        standing = await self.standing(creation)
        if standing is not None:
            return standing, None

        try:
            return await self._database.transaction(lambda tx: changing.create(tx, creation))
        except UniqueViolation:
            # The same was made meanwhile, by the peer or by this user's other instance.
            standing = await self.standing(creation)
            if standing is None:
                raise
            return standing, None

    async def standing(self, creation: Creation) -> str | None:
        """The conversation that this creation would repeat, if there is one."""
        rows = await self._database.read(
            "select conversation_id from message.conversations where created_by = %s and client_id = %s"
            " union all select conversation_id from message.conversations where pair = %s limit 1",
            (creation.creator, creation.client_id, creation.pair),
        )
        return rows[0][0] if rows else None

    async def unknown(self, user_ids: list[str]) -> list[str]:
        """Those of the users that do not exist."""
        rows = await self._database.read(
            "select u from unnest(%s::uuid[]) u"
            " where not exists (select 1 from auth.live_users l where l.user_id = u)",
            (user_ids,),
        )
        return [row[0] for row in rows]

    async def blockers(self, user_id: str, others: list[str]) -> list[str]:
        """Those of `others` who block the user."""
        rows = await self._database.read(
            "select blocker from message.blocks where blocked = %s and blocker = any(%s::uuid[])",
            (user_id, others),
        )
        return [row[0] for row in rows]

    async def made(self, user_id: str, most: int) -> int:
        """How many conversations the user has made that have not ended, counted up to `most`."""
        rows = await self._database.read(
            "select count(*) from (select 1 from message.conversations"
            " where created_by = %s and ended_at is null limit %s) made",
            (user_id, most),
        )
        return int(rows[0][0])

    async def strangers(self, user_id: str, others: list[str]) -> dict[str, str]:
        """Those of `others` who share no open direct conversation with the user, and who may add each to
        groups (wire/preferences.py)."""
        rows = await self._database.read(_STRANGERS, {"user": user_id, "others": others})
        return {row[0]: row[1] for row in rows}

    async def get(self, user_id: str, conversation_id: str) -> ConversationRow | None:
        """The conversation as the user sees it, or None where it is no member."""
        rows = await self._database.read(
            _CONVERSATION + " and c.conversation_id = %(id)s", {"user": user_id, "id": conversation_id}
        )
        return ConversationRow(*rows[0]) if rows else None

    async def page(self, user_id: str, below: tuple[int, str] | None, limit: int) -> list[ConversationRow]:
        """The user's conversations, latest activity first, below (updated, id)."""
        cut = ""
        if below is not None:
            cut = " and (c.updated_at, c.conversation_id) < (to_timestamp(%(updated)s / 1000.0), %(below)s)"
        rows = await self._database.read(
            _CONVERSATION + cut + " order by c.updated_at desc, c.conversation_id desc limit %(limit)s",
            {
                "user": user_id,
                "updated": below[0] if below else None,
                "below": below[1] if below else None,
                "limit": limit,
            },
            bulk=True,
        )
        return [ConversationRow(*row) for row in rows]

    async def sight(self, user_id: str, conversation_id: str) -> Head | None:
        """The first message and the first change that the member sees, or None where it is no member."""
        rows = await self._database.read(
            "select first_seq, first_change from message.members"
            " where conversation_id = %s and user_id = %s and left_seq is null",
            (conversation_id, user_id),
        )
        return Head(*rows[0]) if rows else None

    async def shut(self, conversation_id: str) -> str | None:
        """`gone` where the conversation has ended, `blocked` where a block stands in it, else None."""
        rows = await self._database.read(
            "select case when ended_at is not null then 'gone' when blocked then 'blocked' end"
            " from message.conversations where conversation_id = %s",
            (conversation_id,),
        )
        return rows[0][0] if rows else None

    async def members(self, conversation_id: str, asker_id: str) -> list[MemberProgress]:
        """All members, the longest-standing first.

        Between whom and the asker a block stands shows as if it had come no further than its joining.
        """
        rows = await self._database.read(
            "select m.user_id, m.role, (extract(epoch from m.joined_at) * 1000)::bigint,"
            "   case when a.user_id is null then m.delivered_seq else m.first_seq - 1 end,"
            "   case when a.user_id is null then m.read_seq else m.first_seq - 1 end"
            " from message.members m left join ("
            "   select blocked as user_id from message.blocks where blocker = %(asker)s"
            "   union select blocker from message.blocked_by where blocked = %(asker)s"
            " ) a on a.user_id = m.user_id"
            " where m.conversation_id = %(id)s and m.left_seq is null order by m.joined_at, m.user_id",
            {"id": conversation_id, "asker": asker_id},
        )
        return [MemberProgress(*row) for row in rows]

    async def devices(self, conversation_id: str) -> list[tuple[str, str]]:
        """(user_id, device_id) of the published devices of all members, sorted by device."""
        rows = await self._database.read(
            "select d.user_id, d.device_id from message.members m"
            " join key.published_devices d on d.user_id = m.user_id"
            " where m.conversation_id = %s and m.left_seq is null order by d.device_id",
            (conversation_id,),
        )
        return [(row[0], row[1]) for row in rows]

    @in_transaction
    async def amend(
        self,
        tx: Transaction,
        conversation_id: str,
        actor_id: str,
        target_id: str | None,
        decide: Decide,
    ) -> HeadsEvent | Unchanged:
        """Change a conversation as `decide` says, which is asked under the lock.

        Gives `SAME` where it says nothing, `NOT_VISIBLE` where the actor is no member. `decide`
        may raise Problem: then nothing is changed.
        """
        return await changing.amend(tx, conversation_id, actor_id, target_id, decide)

    @in_transaction
    async def delete_content(
        self,
        tx: Transaction,
        conversation_id: str,
        seq: int,
        actor_id: str,
        judge: Callable[[str | None, str, bool], None],
    ) -> HeadsEvent | Unchanged:
        """Take a message's content away; `judge(sender_id, actor's role, whether a block stands)` raises
        Problem where that is not allowed.

        In a direct conversation everybody counts as a `member`.

        `NOT_VISIBLE` where the actor can't see it, `SAME` where it was deleted before.
        """
        await changing.lock(tx, conversation_id)
        found = await tx.row(
            "select m.role, c.type, c.blocked from message.conversations c"
            " join message.members m using (conversation_id)"
            " where c.conversation_id = %s and m.user_id = %s and m.left_seq is null"
            " and %s between m.first_seq and c.last_seq",
            (conversation_id, actor_id, seq),
        )
        message = found and await tx.row(
            "select sender_id, deleted from message.messages where conversation_id = %s and seq = %s",
            (conversation_id, seq),
        )
        if not found or not message:
            return Unchanged.NOT_VISIBLE
        judge(message[0], found[0] if found[1] == "group" else "member", found[2])
        if message[1]:
            return Unchanged.SAME
        await tx.write(
            "update message.messages set content = null, envelopes = null, envelope_devices = null,"
            " deleted = true where conversation_id = %s and seq = %s",
            (conversation_id, seq),
        )
        return await changing.record(tx, conversation_id, actor_id, [("deleted", {"seq": seq})], [])
