"""Conversations: numbers without gaps, places and marks not past the end, members, blocks, expiry."""

from messenger.admin.check.walk import Check, NotMended, distinct_page_of, page_of
from messenger.core.administrator import Administrator, Row

MOST_TOMBSTONES = 10_000
NOBODY = "00000000-0000-0000-0000-000000000000"

_CONVERSATIONS = page_of("message.conversations", "conversation_id")

_LOCK = """
select last_seq, last_change from message.conversations where conversation_id = %s for no key update
"""

_NUMBERS = """
select c.conversation_id, c.{last}, m.count, m.lowest, m.highest from message.conversations c
cross join lateral (
    select count(*) as count, min({number}) as lowest, max({number}) as highest
    from message.{table} m where m.conversation_id = c.conversation_id
) m
where c.conversation_id = any(%(ids)s::uuid[])
    and (m.count <> c.{last} or coalesce(m.lowest, 1) <> 1 or coalesce(m.highest, 0) <> c.{last})
"""
_HIGHEST = "select coalesce(max({number}), 0) from message.{table} where conversation_id = %s"

# A place that is missing gets a message without content, as a deleted one is: who counts goes on counting.
_FILL = """
insert into message.messages (
    conversation_id, seq, sender_id, sender_device_id, client_id, kind, created_at, deleted
)
select %(id)s, s.seq, null, %(nobody)s, gen_random_uuid(), 'lost', coalesce((
    select m.created_at from message.messages m
    where m.conversation_id = %(id)s and m.seq < s.seq order by m.seq desc limit 1
), now()), true
from generate_series(1::bigint, %(last)s) as s(seq)
where not exists (select from message.messages m where m.conversation_id = %(id)s and m.seq = s.seq)
"""


def _numbers(kind: str, last: str) -> str:
    number = "seq" if kind == "messages" else "change"
    return _NUMBERS.format(table=kind, number=number, last=last)


def _say_numbers(row: Row) -> str:
    name, last, count, lowest, highest = row
    what = f"conversation {name} is at {last} and has {count} numbers"
    return f"{what}, from {lowest} to {highest}" if count else what


def _mend_seq(database: Administrator, row: Row) -> str:
    name = row[0]
    last, _ = database.rows(_LOCK, (name,))[0]
    highest = database.value(_HIGHEST.format(number="seq", table="messages"), (name,))
    done = []
    if highest > last:
        database.change(
            "update message.conversations set last_seq = %s where conversation_id = %s", (highest, name)
        )
        done.append(f"it is at {highest} now")
        last = highest
    missing = last - database.value(
        "select count(*) from message.messages where conversation_id = %s and seq between 1 and %s",
        (name, last),
    )
    if 0 < missing <= MOST_TOMBSTONES:
        filled = database.change(_FILL, {"id": name, "last": last, "nobody": NOBODY})
        done.append(f"{filled} missing places are deleted messages now")
    elif missing and not done:
        raise NotMended(f"{missing} are missing, more than {MOST_TOMBSTONES}: restore a backup")
    elif not done and database.rows(_numbers("messages", "last_seq"), {"ids": [name]}):
        raise NotMended("there are numbers below 1, which nothing of ours writes")
    return ", ".join(done)


def _mend_change(database: Administrator, row: Row) -> str:
    name = row[0]
    _, last = database.rows(_LOCK, (name,))[0]
    highest = database.value(_HIGHEST.format(number="change", table="changes"), (name,))
    if highest <= last:
        if database.rows(_numbers("changes", "last_change"), {"ids": [name]}):
            raise NotMended("what happened there is not known")
        return ""
    database.change(
        "update message.conversations set last_change = %s where conversation_id = %s", (highest, name)
    )
    return f"it is at {highest} now"


_PLACES = """
select p.device_id, p.conversation_id, p.seq, c.last_seq, p.change, c.last_change
from message.places p left join message.conversations c on c.conversation_id = p.conversation_id
where p.device_id = any(%(ids)s::uuid[])
    and (c.conversation_id is null or p.seq not between 0 and c.last_seq
        or p.change not between 0 and c.last_change)
"""
_MEND_PLACE = """
update message.places p set seq = greatest(0, least(p.seq, c.last_seq)),
    change = greatest(0, least(p.change, c.last_change))
from message.conversations c
where p.device_id = %s and p.conversation_id = %s and c.conversation_id = p.conversation_id
returning p.seq, p.change
"""


def _say_place(row: Row) -> str:
    device, name, seq, last_seq, change, last_change = row
    if last_seq is None:
        return f"device {device} has a place in conversation {name}, which is not there"
    return (
        f"device {device} is at {seq} of {last_seq} messages and {change} of {last_change} changes of"
        f" conversation {name}"
    )


def _mend_place(database: Administrator, row: Row) -> str:
    device, name, _, last_seq, _, _ = row
    if last_seq is None:
        database.change(
            "delete from message.places where device_id = %s and conversation_id = %s", (device, name)
        )
        return "removed"
    database.rows(_LOCK, (name,))
    seq, change = database.rows(_MEND_PLACE, (device, name))[0]
    return f"it is at {seq} and {change} now"


_MEMBERS = """
select m.conversation_id, m.user_id, m.first_seq, m.delivered_seq, m.read_seq, c.last_seq
from message.members m join message.conversations c on c.conversation_id = m.conversation_id
where m.conversation_id = any(%(ids)s::uuid[])
    and (m.first_seq > c.last_seq + 1 or greatest(m.delivered_seq, m.read_seq, m.left_seq) > c.last_seq
        or m.left_change > c.last_change)
"""
_MEND_MEMBER = """
update message.members m set first_seq = least(m.first_seq, c.last_seq + 1),
    delivered_seq = least(m.delivered_seq, c.last_seq), read_seq = least(m.read_seq, c.last_seq),
    left_seq = case when m.left_seq is not null then least(m.left_seq, c.last_seq) end,
    left_change = case when m.left_change is not null then least(m.left_change, c.last_change) end
from message.conversations c
where m.conversation_id = %s and m.user_id = %s and c.conversation_id = m.conversation_id
"""


def _mend_member(database: Administrator, row: Row) -> str:
    database.rows(_LOCK, (row[0],))
    database.change(_MEND_MEMBER, (row[0], row[1]))
    return "set to the end"


_COUNTS = """
select c.conversation_id, c.member_count, m.count from message.conversations c
cross join lateral (
    select count(*) as count from message.members m
    where m.conversation_id = c.conversation_id and m.left_seq is null
) m
where c.conversation_id = any(%(ids)s::uuid[]) and c.ended_at is null and c.member_count <> m.count
"""
_MEND_COUNT = """
update message.conversations c set member_count = (
    select count(*) from message.members m where m.conversation_id = c.conversation_id and m.left_seq is null
) where c.conversation_id = %s returning member_count
"""


def _mend_count(database: Administrator, row: Row) -> str:
    database.rows(_LOCK, (row[0],))
    return f"it says {database.value(_MEND_COUNT, (row[0],))} now"


_ROLES = """
select c.conversation_id, c.type, m.members, m.owners from message.conversations c
cross join lateral (
    select count(*) as members, count(*) filter (where m.role = 'owner') as owners
    from message.members m where m.conversation_id = c.conversation_id and m.left_seq is null
) m
where c.conversation_id = any(%(ids)s::uuid[]) and c.ended_at is null
    and (m.members, m.owners) is distinct from
        case c.type when 'direct' then (2::bigint, 2::bigint) else (greatest(m.members, 1), 1::bigint) end
"""

_BLOCKED = """
with stands as (
    select c.conversation_id, c.blocked, exists (
        select from message.blocks b
        where b.blocker = split_part(c.pair, ' ', 1)::uuid and b.blocked = split_part(c.pair, ' ', 2)::uuid
            or b.blocker = split_part(c.pair, ' ', 2)::uuid and b.blocked = split_part(c.pair, ' ', 1)::uuid
    ) as block
    from message.conversations c
    where c.conversation_id = any(%(ids)s::uuid[]) and c.type = 'direct' and c.ended_at is null
)
{}
"""
_FIND_BLOCKED = _BLOCKED.format("select conversation_id, blocked from stands where blocked <> block")
_MEND_BLOCKED = _BLOCKED.format(
    "update message.conversations c set blocked = s.block from stands s"
    " where c.conversation_id = s.conversation_id and s.blocked <> s.block returning c.blocked"
)


def _mend_blocked(database: Administrator, row: Row) -> str:
    database.rows(_LOCK, (row[0],))
    found = database.rows(_MEND_BLOCKED, {"ids": [row[0]]})
    return f"it is {'shut' if found[0][0] else 'open'} now" if found else ""


_EXPIRED = """
select count(*), min(expires_at) from message.messages
where expires_at < now() - interval '1 hour' and (content is not null or envelopes is not null)
having count(*) > 0
"""
_MEND_EXPIRED = """
with due as (
    select conversation_id, seq from message.messages
    where expires_at < now() and (content is not null or envelopes is not null)
    order by expires_at limit 10000 for update skip locked
)
update message.messages m set content = null, envelopes = null, envelope_devices = null
from due where m.conversation_id = due.conversation_id and m.seq = due.seq
"""


def _mend_expired(database: Administrator, _row: Row) -> str:
    done = database.change(_MEND_EXPIRED)
    return f"the contents of {done} are gone" + (": run it again for more" if done == 10_000 else "")


def _nameless(table: str) -> Check:
    find = f"""
        select i.id, '{table}' from unnest(%(ids)s::uuid[]) as i(id)
        where not exists (select from message.conversations c where c.conversation_id = i.id)
    """  # noqa: S608 - a constant of the code
    return Check(
        title=f"conversations of {table}",
        walk=distinct_page_of(f"message.{table}", "conversation_id"),
        find=find,
        say=lambda row: f"there are {row[1]} of conversation {row[0]}, which is not there",
        left="its row has to come from a backup",
    )


CHECKS = (
    Check(
        "numbers of messages",
        _numbers("messages", "last_seq"),
        _say_numbers,
        walk=_CONVERSATIONS,
        mend=_mend_seq,
    ),
    Check(
        "numbers of changes",
        _numbers("changes", "last_change"),
        _say_numbers,
        walk=_CONVERSATIONS,
        mend=_mend_change,
    ),
    Check(
        "places", _PLACES, _say_place, walk=distinct_page_of("message.places", "device_id"), mend=_mend_place
    ),
    Check(
        "members' marks",
        _MEMBERS,
        lambda row: (
            f"user {row[1]} in conversation {row[0]} sees from {row[2]}, got {row[3]} and read {row[4]}"
            f" of {row[5]}"
        ),
        walk=_CONVERSATIONS,
        mend=_mend_member,
    ),
    Check(
        "numbers of members",
        _COUNTS,
        lambda row: f"conversation {row[0]} says {row[1]} members and has {row[2]}",
        walk=_CONVERSATIONS,
        mend=_mend_count,
    ),
    Check(
        "owners",
        _ROLES,
        lambda row: f"{row[1]} conversation {row[0]} has {row[2]} members and {row[3]} owners",
        walk=_CONVERSATIONS,
        left="who is to own it is for people to say",
    ),
    Check(
        "blocks",
        _FIND_BLOCKED,
        lambda row: f"conversation {row[0]} is {'shut' if row[1] else 'open'}, against the block",
        walk=_CONVERSATIONS,
        mend=_mend_blocked,
    ),
    Check(
        "expired contents",
        _EXPIRED,
        lambda row: f"{row[0]} messages have theirs still, the oldest since {row[1]:%Y-%m-%d %H:%M}",
        mend=_mend_expired,
    ),
    _nameless("messages"),
    _nameless("changes"),
    _nameless("members"),
)
