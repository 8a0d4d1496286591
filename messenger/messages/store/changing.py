"""The bodies of the transactions that change a conversation.

Each locks the conversation's row first, so that changes and messages of one conversation stand in one order,
and decides under that lock.
"""

import json
from typing import Any

from messenger.core import outbox
from messenger.core.database.transaction import Transaction
from messenger.core.ids import new_id
from messenger.messages.model import (
    Amendment,
    ConversationState,
    Creation,
    Decide,
    HeadsEvent,
    MemberRow,
    Unchanged,
)
from messenger.wire import events
from messenger.wire.codec import base64_text
from messenger.wire.times import rfc3339

_NOTHING = Amendment()


async def lock_pair(tx: Transaction, pair: str) -> None:
    """Let blocks of a pair, and the making of its direct conversation, come one after the other.

    Without it a block could miss a conversation that is being made, and the other way round: neither sees
    what the other has not committed yet.
    """
    await tx.rows("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (pair,))


async def lock(tx: Transaction, conversation_id: str) -> None:
    """Lock a conversation's row, first and alone: what is read after it is all that was committed before."""
    await tx.rows(
        "select 1 from message.conversations where conversation_id = %s for no key update",
        (conversation_id,),
    )


async def create(tx: Transaction, creation: Creation) -> tuple[str, HeadsEvent]:
    """Make a conversation; UniqueViolation where it stands already."""
    conversation_id = new_id()
    if creation.pair is not None:
        await lock_pair(tx, creation.pair)
    row = await tx.row(
        "insert into message.conversations (conversation_id, type, pair, created_by, client_id, metadata,"
        "   created_at, updated_at, last_change, member_count, blocked)"
        " values (%(id)s, %(type)s, %(pair)s, %(by)s, %(client)s, %(metadata)s, now(), now(), 1, %(count)s,"
        "   %(pair)s is not null and exists (select 1 from message.blocks"
        "     where blocker = any(%(users)s::uuid[]) and blocked = any(%(users)s::uuid[])))"
        " returning (extract(epoch from created_at) * 1000)::bigint",
        {
            "id": conversation_id,
            "type": creation.type,
            "pair": creation.pair,
            "by": creation.creator,
            "client": creation.client_id,
            "metadata": creation.metadata,
            "count": len(creation.roles),
            "users": list(creation.roles),
        },
    )
    assert row is not None
    heads = events.Heads(
        heads=[events.ConversationHead(conversation_id=conversation_id, seq=0, change=1)],
        users=list(creation.roles),
    )
    details = {
        "conversation": {
            "conversation_id": conversation_id,
            "type": creation.type,
            "metadata": None if creation.metadata is None else base64_text(creation.metadata),
            "message_ttl": None,
            "created_at": rfc3339(row[0]),
            "updated_at": rfc3339(row[0]),
            "ended_at": None,
            "last_seq": 0,
            "last_change": 1,
            "member_count": len(creation.roles),
        }
    }
    await tx.write(
        "with joined as (insert into message.members (conversation_id, user_id, role, joined_at,"
        "   first_seq, first_change, delivered_seq, read_seq)"
        " select %(id)s, u.user_id, u.role, now(), 1, 1, 0, 0"
        "   from unnest(%(users)s::uuid[], %(roles)s::text[]) as u(user_id, role)"
        ") insert into message.changes"
        "   (conversation_id, change, at_seq, created_at, actor_id, event, details)"
        " values (%(id)s, 1, 0, now(), %(by)s, 'created', %(details)s)",
        {
            "id": conversation_id,
            "users": list(creation.roles),
            "roles": list(creation.roles.values()),
            "by": creation.creator,
            "details": json.dumps(details),
        },
    )
    (outgoing,) = await outbox.record(tx, [heads])
    return conversation_id, HeadsEvent(outgoing.event_id, heads)


_STATE = """
select c.type, c.ended_at is not null, c.metadata, c.message_ttl, c.member_count, a.role,
    t.user_id, t.role,
    exists (select 1 from auth.live_users l where l.user_id = %(target)s),
    exists (select 1 from message.blocks b where b.blocker = %(target)s and b.blocked = %(actor)s),
    h.user_id, h.role, c.blocked
from message.conversations c
join message.members a on a.conversation_id = c.conversation_id and a.user_id = %(actor)s
    and a.left_seq is null
left join message.members t on t.conversation_id = c.conversation_id and t.user_id = %(target)s
    and t.left_seq is null
left join lateral (
    select m.user_id, m.role from message.members m
    where m.conversation_id = c.conversation_id and m.user_id <> %(actor)s and m.left_seq is null
    order by m.role = 'admin' desc, m.joined_at, m.user_id limit 1
) h on true
where c.conversation_id = %(id)s
"""


async def amend(
    tx: Transaction, conversation_id: str, actor_id: str, target_id: str | None, decide: Decide
) -> HeadsEvent | Unchanged:
    """See ConversationStore.amend."""
    await lock(tx, conversation_id)
    row = await tx.row(_STATE, {"id": conversation_id, "actor": actor_id, "target": target_id})
    if row is None:
        return Unchanged.NOT_VISIBLE
    state = ConversationState(
        type=row[0],
        ended=row[1],
        metadata=row[2],
        message_ttl=row[3],
        member_count=row[4],
        actor=MemberRow(actor_id, row[5]),
        target=MemberRow(row[6], row[7]) if row[6] else None,
        target_exists=row[8],
        target_blocks_actor=row[9],
        heir=MemberRow(row[10], row[11]) if row[10] else None,
        blocked=row[12],
    )
    amendment = decide(state)
    if amendment is None:
        return Unchanged.SAME
    event = await record(
        tx,
        conversation_id,
        actor_id,
        amendment.events,
        [amendment.add.user_id] if amendment.add else [],
        amendment,
    )
    await _apply(tx, conversation_id, amendment, event.heads.heads[0].change)
    return event


async def _apply(tx: Transaction, conversation_id: str, amendment: Amendment, change: int) -> None:
    name = {"id": conversation_id}
    if amendment.add is not None:
        await tx.write(
            "insert into message.members as m (conversation_id, user_id, role, joined_at, first_seq,"
            "   first_change, delivered_seq, read_seq)"
            " select c.conversation_id, %(user)s, %(role)s, now(), c.last_seq + 1, %(change)s, c.last_seq,"
            "   c.last_seq from message.conversations c where c.conversation_id = %(id)s"
            " on conflict (conversation_id, user_id) do update set role = excluded.role,"
            "   joined_at = excluded.joined_at, first_seq = excluded.first_seq,"
            "   first_change = excluded.first_change, left_seq = null, left_change = null,"
            "   delivered_seq = excluded.delivered_seq, read_seq = excluded.read_seq",
            {**name, "user": amendment.add.user_id, "role": amendment.add.role, "change": change},
        )
        # CursorStore of an earlier membership would reach below the new one's sight.
        await tx.write(
            "update message.places p set seq = greatest(p.seq, c.last_seq),"
            "   change = greatest(p.change, %(change)s - 1)"
            " from message.conversations c, auth.live_devices d"
            " where c.conversation_id = %(id)s and p.conversation_id = c.conversation_id"
            "   and d.user_id = %(user)s and p.device_id = d.device_id",
            {**name, "user": amendment.add.user_id, "change": change},
        )
    if amendment.remove is not None:
        # A member who goes sees the changes up to its own removal, and none that follows from it.
        named = [event for event, _ in amendment.events]
        change -= len(named) - 1 - named.index("member_removed")
        await tx.write(
            "update message.members m set left_seq = c.last_seq, left_change = %(change)s"
            " from message.conversations c where c.conversation_id = m.conversation_id"
            " and m.conversation_id = %(id)s and m.user_id = %(user)s",
            {**name, "user": amendment.remove, "change": change},
        )
    for user_id, role in amendment.roles.items():
        await tx.write(
            "update message.members set role = %(role)s"
            " where conversation_id = %(id)s and user_id = %(user)s",
            {**name, "user": user_id, "role": role},
        )


async def record(
    tx: Transaction,
    conversation_id: str,
    actor_id: str,
    happened: list[tuple[str, dict[str, Any]]],
    newcomers: list[str],
    amendment: Amendment = _NOTHING,
) -> HeadsEvent:
    """Number and store what happened, move the conversation's head, and note it in the outbox."""
    row = await tx.row(
        "update message.conversations set last_change = last_change + %(count)s, updated_at = now(),"
        "   metadata = case when %(update)s then %(metadata)s else metadata end,"
        "   message_ttl = case when %(update)s then %(ttl)s else message_ttl end,"
        "   member_count = member_count + %(growth)s,"
        "   ended_at = case when %(end)s then now() else ended_at end"
        " where conversation_id = %(id)s"
        " returning last_seq, last_change, type, (extract(epoch from created_at) * 1000)::bigint,"
        "   (extract(epoch from updated_at) * 1000)::bigint,"
        "   (extract(epoch from ended_at) * 1000)::bigint, metadata, message_ttl, member_count",
        {
            "id": conversation_id,
            "count": len(happened),
            "update": amendment.update,
            "metadata": amendment.metadata,
            "ttl": amendment.message_ttl,
            "growth": (amendment.add is not None) - (amendment.remove is not None),
            "end": amendment.end,
        },
    )
    assert row is not None
    seq, last_change, kind, created, updated, ended, metadata, ttl, count = row
    shared = {
        "conversation_id": conversation_id,
        "type": kind,
        "metadata": None if metadata is None else base64_text(metadata),
        "message_ttl": ttl,
        "created_at": rfc3339(created),
        "updated_at": rfc3339(updated),
        "ended_at": None if ended is None else rfc3339(ended),
        "last_seq": seq,
        "last_change": last_change,
        "member_count": count,
    }
    for number, (event, details) in enumerate(happened, last_change - len(happened) + 1):
        told = {**details, "conversation": shared} if event == "updated" else details
        await tx.write(
            "insert into message.changes"
            " (conversation_id, change, at_seq, created_at, actor_id, event, details)"
            " values (%s, %s, %s, now(), %s, %s, %s)",
            (conversation_id, number, seq, actor_id, event, json.dumps(told)),
        )
    heads = events.Heads(
        heads=[events.ConversationHead(conversation_id=conversation_id, seq=seq, change=last_change)],
        users=newcomers,
    )
    (outgoing,) = await outbox.record(tx, [heads])
    return HeadsEvent(outgoing.event_id, heads)
