"""The removal, in PostgreSQL, of expired contents and of what deleted users and removed devices have left."""

from messenger.core.database.pool import Database
from messenger.messages.model import Amendment, ConversationState, HeadsEvent, Unchanged
from messenger.messages.store.conversations import ConversationStore

BATCH = 1_000
STRETCH = 10_000
NOBODY = "00000000-0000-0000-0000-000000000000"  # who made what a deleted user had made


class UpkeepStore:
    """Statements of the upkeep; each is short and may be run by several instances at once."""

    def __init__(self, database: Database, conversations: ConversationStore) -> None:
        self._database = database
        self._conversations = conversations

    async def expire(self) -> int:
        """Take the contents of at most BATCH expired messages off the disk; gives how many it were."""
        rows = await self._database.write(
            "with due as ("
            "   select conversation_id, seq from message.messages"
            "   where expires_at < now() and (content is not null or envelopes is not null)"
            "   order by expires_at limit %s for update skip locked"
            " ) update message.messages m set content = null, envelopes = null, envelope_devices = null"
            " from due where m.conversation_id = due.conversation_id and m.seq = due.seq returning 1",
            (BATCH,),
        )
        return len(rows)

    async def deleted_users(self) -> list[str]:
        """Users whose account is deleted and of whom something is still here."""
        rows = await self._database.read(
            "select d.user_id from auth.deleted_users d"
            " where exists (select 1 from message.members m where m.user_id = d.user_id)"
            "   or exists (select 1 from message.blocks b where b.blocker = d.user_id)"
            "   or exists (select 1 from message.blocked_by b where b.blocked = d.user_id)"
            "   or exists (select 1 from message.preferences p where p.user_id = d.user_id) limit 100"
        )
        return [row[0] for row in rows]

    async def conversations_of(self, user_id: str) -> list[tuple[str, bool]]:
        """All conversations that the user is or was in, and whether it has left."""
        rows = await self._database.read(
            "select conversation_id, left_seq is not null from message.members where user_id = %s", (user_id,)
        )
        return [(row[0], row[1]) for row in rows]

    async def depart(self, user_id: str, conversation_id: str) -> HeadsEvent | None:
        """End the membership of a user who is no more: a direct conversation ends with it."""

        def decide(state: ConversationState) -> Amendment | None:
            events: list[tuple[str, dict[str, object]]] = [("member_removed", {"user_id": user_id})]
            roles: dict[str, str] = {}
            if state.type == "direct" or state.heir is None:
                if not state.ended:
                    events.append(("ended", {}))
            elif state.actor.role == "owner":
                roles[state.heir.user_id] = "owner"
                events.append(("role_changed", {"user_id": state.heir.user_id, "role": "owner"}))
            ends = events[-1][0] == "ended"
            return Amendment(remove=user_id, roles=roles, end=ends, events=events)

        event = await self._conversations.amend(conversation_id, user_id, None, decide)
        return None if isinstance(event, Unchanged) else event  # else another instance was quicker

    async def forget_sender(self, user_id: str, conversation_id: str) -> None:
        """Let the user's messages and changes stay without a name, a stretch at a time.

        Whom a change was about stays: that is what it says. So does which device sent a message: whoever
        sends it again is recognised by that.
        """
        await self._database.write(
            "update message.changes set actor_id = null where conversation_id = %s and actor_id = %s",
            (conversation_id, user_id),
        )
        rows = await self._database.read(
            "select last_seq from message.conversations where conversation_id = %s", (conversation_id,)
        )
        for start in range(0, rows[0][0] + 1 if rows else 0, STRETCH):
            await self._database.write(
                "update message.messages set sender_id = null"
                " where conversation_id = %s and seq between %s and %s and sender_id = %s",
                (conversation_id, start, start + STRETCH - 1, user_id),
            )

    async def forget_member(self, user_id: str) -> None:
        """The last trace of a user who is no more: what is done with it is not done again."""
        # A direct conversation that has ended is not looked up by its pair any more.
        await self._database.write(
            "update message.conversations c set pair = c.conversation_id::text from message.members m"
            " where m.user_id = %s and c.conversation_id = m.conversation_id and c.type = 'direct'",
            (user_id,),
        )
        await self._database.write(
            "with mine as (delete from message.blocks where blocker = %(user)s"
            " ), others as (delete from message.blocks b using message.blocked_by o"
            "   where o.blocked = %(user)s and b.blocker = o.blocker and b.blocked = o.blocked"
            " ), wishes as (delete from message.preferences where user_id = %(user)s"
            " ), made as (update message.conversations set created_by = %(nobody)s, client_id = null"
            "   where created_by = %(user)s"
            " ) delete from message.members where user_id = %(user)s and left_seq is not null",
            {"user": user_id, "nobody": NOBODY},
        )

    async def forget_cursors(self) -> None:
        """Remove the cursors of devices that are no more."""
        await self._database.write(
            "delete from message.places p where p.device_id in ("
            "   select distinct q.device_id from message.places q where not exists ("
            "     select 1 from auth.live_devices d where d.device_id = q.device_id) limit 1000)"
        )
