"""Messages in PostgreSQL: committing drafts, and reading what was committed."""

from collections.abc import Sequence
from typing import Any

from messenger.core.database.connection import Row
from messenger.core.database.pool import Database
from messenger.messages.model import Draft, Head, Outcome, StoredChange, StoredMessage

_COMMIT = """
select outcome, seq, change, (extract(epoch from created_at) * 1000)::bigint,
    (extract(epoch from expires_at) * 1000)::bigint
from message.commit_drafts(
    %s, %s, %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::bytea[],
    %s::integer[], %s::uuid[], %s::bytea[]
) order by draft
"""

# One device's own envelope, or null where there is none for it.
_FOR_DEVICE = """
    m.conversation_id, m.seq, m.sender_id, m.sender_device_id, m.client_id, m.kind, m.content,
    m.envelopes[array_position(m.envelope_devices, %(device)s::uuid)] as envelope,
    (extract(epoch from m.created_at) * 1000)::bigint as created,
    (extract(epoch from m.expires_at) * 1000)::bigint as expires,
    m.deleted
"""

_COLUMNS = """
    m.conversation_id, m.seq, m.sender_id, m.sender_device_id, m.client_id, m.kind, m.content, m.envelope,
    m.created, m.expires, m.deleted
"""

# What the messages before this one hold: a page ends where that exceeds its size. Looking at a length does
# not read what it is the length of.
_BEFORE = """
    coalesce(sum(coalesce(octet_length(m.content), 0) + coalesce(octet_length(m.envelope), 0)) over (
        order by m.seq rows between unbounded preceding and 1 preceding), 0)
"""

_BACKLOG = f"""
select {_COLUMNS}
from unnest(%(ids)s::uuid[], %(after)s::bigint[], %(upto)s::bigint[]) with ordinality
    as w(conversation_id, after_seq, upto_seq, n)
cross join lateral (
    select m.*, {_BEFORE} as before from (
        select {_FOR_DEVICE} from message.messages m
        where m.conversation_id = w.conversation_id and m.seq > w.after_seq and m.seq <= w.upto_seq
        order by m.seq limit %(limit)s
    ) m
) m
where m.before < %(size)s
order by w.n, m.seq
"""  # noqa: S608 - composed of constants

_ALL_ENVELOPES = """
select m.conversation_id, m.seq, m.sender_id, m.sender_device_id, m.client_id, m.kind, m.content,
    m.envelope_devices, m.envelopes,
    (extract(epoch from m.created_at) * 1000)::bigint, (extract(epoch from m.expires_at) * 1000)::bigint,
    m.deleted
from (
    select m.*, coalesce(sum(coalesce(octet_length(m.content), 0) + coalesce(pg_column_size(m.envelopes), 0))
        over (order by m.seq rows between unbounded preceding and 1 preceding), 0) as before
    from (
        select * from message.messages m
        where m.conversation_id = %s and m.seq > %s and m.seq <= %s order by m.seq limit %s
    ) m
) m
where m.before < %s order by m.seq
"""

# One more than is wanted tells whether there are more.
_HISTORY = f"""
select {_COLUMNS}, m.number, m.found
from (
    select m.*, row_number() over (order by m.seq {{order}}) as number, count(*) over () as found,
        coalesce(sum(coalesce(octet_length(m.content), 0) + coalesce(octet_length(m.envelope), 0)) over (
            order by m.seq {{order}} rows between unbounded preceding and 1 preceding), 0) as before
    from (
        select {_FOR_DEVICE} from message.messages m
        where m.conversation_id = %(id)s and m.seq > %(above)s and m.seq < %(below)s
        order by m.seq {{order}} limit %(limit)s + 1
    ) m
) m
where m.before < %(size)s and m.number <= %(limit)s
order by m.number
"""  # noqa: S608 - composed of constants
_RISING, _FALLING = _HISTORY.format(order="asc"), _HISTORY.format(order="desc")

_CHANGES = """
select h.conversation_id, h.change, h.at_seq, (extract(epoch from h.created_at) * 1000)::bigint,
    h.actor_id, h.event, h.details
from unnest(%s::uuid[], %s::bigint[], %s::bigint[]) with ordinality as w(conversation_id, after, upto, n)
cross join lateral (
    select * from message.changes h
    where h.conversation_id = w.conversation_id and h.change > w.after and h.change <= w.upto
    order by h.change limit %s
) h
order by w.n, h.change
"""


class MessageStore:
    """Statements about messages and changes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def commit(self, event_id: str, drafts: Sequence[Draft], *, wait: bool) -> list[Outcome]:
        """Commit all drafts that may be committed, in one transaction; the outcomes are in their order.

        Drafts whose conversation another transaction holds come back as `busy`, unless `wait`. No two
        drafts may bear the same conversation, device and client_id. The heads of what moved stand in the
        outbox under `event_id`.
        """
        sealed = [
            (number, device_id, content)
            for number, draft in enumerate(drafts, 1)
            for device_id, content in (draft.envelopes or {}).items()
        ]
        rows = await self._database.write(
            _COMMIT,
            (
                event_id,
                wait,
                [draft.conversation_id for draft in drafts],
                [draft.user_id for draft in drafts],
                [draft.device_id for draft in drafts],
                [draft.client_id for draft in drafts],
                [draft.kind for draft in drafts],
                [draft.content for draft in drafts],
                [number for number, _, _ in sealed],
                [device_id for _, device_id, _ in sealed],
                [content for _, _, content in sealed],
            ),
        )
        return [Outcome(*row) for row in rows]

    async def backlog(
        self, device_id: str, wants: Sequence[tuple[str, int, int]], limit: int, size: int
    ) -> list[StoredMessage]:
        """Messages above the first and up to the second number of each (id, above, up to), in order.

        For each conversation at most `limit`, and of `size` bytes (one that exceeds them is the last; the
        first comes in any case). Envelopes are those of `device_id` alone.
        """
        rows = await self._database.read(
            _BACKLOG,
            {
                "device": device_id,
                "ids": [want[0] for want in wants],
                "after": [want[1] for want in wants],
                "upto": [want[2] for want in wants],
                "limit": limit,
                "size": size,
            },
            bulk=True,
        )
        return [_for_device(row, device_id) for row in rows]

    async def stretch(
        self, conversation_id: str, above: int, upto: int, limit: int, size: int
    ) -> list[StoredMessage]:
        """Messages above `above` and up to `upto`, with all envelopes. `limit` and `size`: see backlog."""
        rows = await self._database.read(_ALL_ENVELOPES, (conversation_id, above, upto, limit, size))
        return [
            _stored(row[:7], dict(zip(row[7], row[8], strict=True)) if row[7] and row[8] else None, row[9:])
            for row in rows
        ]

    async def history(
        self,
        conversation_id: str,
        device_id: str,
        *,
        above: int,
        below: int,
        rising: bool,
        limit: int,
        size: int,
    ) -> tuple[list[StoredMessage], bool]:
        """At most `limit` messages between `above` and `below` (both left out), by rising seq, and whether
        there are more. `size` is as in `backlog`.

        `rising` takes the lowest of them, else the highest.
        """
        parameters = {
            "id": conversation_id,
            "device": device_id,
            "above": above,
            "below": below,
            "limit": limit,
            "size": size,
        }
        rows = await self._database.read(_RISING if rising else _FALLING, parameters, bulk=True)
        found = [_for_device(row[:-2], device_id) for row in rows]
        more = bool(rows) and rows[-1][-1] > len(rows)
        return (found if rising else found[::-1]), more

    async def changes(self, wants: Sequence[tuple[str, int, int]], limit: int) -> list[StoredChange]:
        """Changes above the first and up to the second number of each (id, above, up to), in order."""
        rows = await self._database.read(
            _CHANGES,
            ([want[0] for want in wants], [want[1] for want in wants], [want[2] for want in wants], limit),
        )
        return [StoredChange(*row) for row in rows]

    async def repeat(self, conversation_id: str, device_id: str, client_id: str) -> Outcome | None:
        """The message that this device sent before under the client_id, or None."""
        rows = await self._database.read(
            "select 'repeat', seq, 0, (extract(epoch from created_at) * 1000)::bigint,"
            " (extract(epoch from expires_at) * 1000)::bigint from message.messages"
            " where conversation_id = %s and sender_device_id = %s and client_id = %s",
            (conversation_id, device_id, client_id),
        )
        return Outcome(*rows[0]) if rows else None

    async def heads(self, conversation_ids: Sequence[str]) -> dict[str, Head]:
        """How far each of these conversations has come."""
        rows = await self._database.read(
            "select conversation_id, last_seq, last_change from message.conversations"
            " where conversation_id = any(%s::uuid[])",
            (list(conversation_ids),),
        )
        return {row[0]: Head(row[1], row[2]) for row in rows}


def _for_device(row: Row, device_id: str) -> StoredMessage:
    envelope: bytes | None = row[7]
    return _stored(row[:7], None if envelope is None else {device_id: envelope}, row[8:])


def _stored(first: Row, envelopes: dict[str, bytes] | None, last: Row) -> StoredMessage:
    values: Any = (*first, envelopes, *last)
    return StoredMessage(*values)
