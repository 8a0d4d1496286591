"""Accounts: devices and sessions that have an owner who may have them, and keys that have a device."""

from collections.abc import Sequence

from messenger.admin.check.walk import Check, distinct_page_of, page_of
from messenger.auth.model import EndReason
from messenger.core.administrator import Administrator, Row
from messenger.core.ids import new_id
from messenger.wire.codec import encode
from messenger.wire.events import DeviceChanged, Event, SessionEnded

_USERS = page_of("auth.users", "user_id")
_KEY_DEVICES = page_of("key.devices", "device_id")

_OWNERLESS = """
select d.device_id, d.user_id from auth.devices d join auth.users u on u.user_id = d.user_id
where d.user_id = any(%(ids)s::uuid[]) and u.deleted_at is not null
"""
_LOCK_USER = "select 1 from auth.users where user_id = %s for no key update"


def _remove_devices(database: Administrator, row: Row) -> str:
    user_id = row[1]
    database.rows(_LOCK_USER, (user_id,))
    ended = _end_sessions(database, "user_id", user_id, EndReason.deleted)
    gone = database.rows(
        "delete from auth.devices where user_id = %s returning device_id, user_id", (user_id,)
    )
    removed = [DeviceChanged(event="removed", device_id=one[0], user_id=one[1]) for one in gone]
    _record(database, [*ended, *removed])
    return f"{len(gone)} devices of the user are removed" if gone else ""


_SESSIONS = """
select s.session_id, s.device_id, s.user_id,
    case when u.user_id is null then 'a user who is not there'
        when u.deleted_at is not null then 'a deleted user'
        when u.disabled_at is not null then 'a disabled user' else 'a device that is not the user''s' end
from auth.sessions s
left join auth.users u on u.user_id = s.user_id
left join auth.devices d on d.device_id = s.device_id and d.user_id = s.user_id
where s.session_id = any(%(ids)s::uuid[]) and s.ended_at is null
    and (u.user_id is null or u.deleted_at is not null or u.disabled_at is not null or d.device_id is null)
"""


def _end_session(database: Administrator, row: Row) -> str:
    ended = _end_sessions(database, "session_id", row[0], EndReason.admin)
    _record(database, ended)
    return "ended" if ended else ""


def _end_sessions(database: Administrator, column: str, value: str, reason: EndReason) -> list[SessionEnded]:
    rows = database.rows(
        f"update auth.sessions set ended_at = now(), end_reason = %s where ended_at is null and {column} = %s"  # noqa: S608
        " returning session_id, user_id, device_id",
        (reason, value),
    )
    return [SessionEnded(session_id=one[0], user_id=one[1], device_id=one[2]) for one in rows]


def _record(database: Administrator, events: Sequence[Event]) -> None:
    """Write events into the outbox: an auth instance relays them."""
    for event in events:
        database.change(
            "insert into auth.outbox (id, subject, payload) values (%s, %s, %s)",
            (new_id(), event.subject, encode(event)),
        )


_SIGNING = """
select count(*) from auth.signing_keys
where active_at <= now() and (verify_until is null or verify_until > now()) having count(*) = 0
"""

_DEPARTED = """
select d.device_id, d.user_id from key.devices d
where d.device_id = any(%(ids)s::uuid[])
    and not exists (select from auth.live_devices l where l.device_id = d.device_id)
"""


def _forget_keys(database: Administrator, row: Row) -> str:
    done = database.change(
        "delete from key.devices d where device_id = %s"
        " and not exists (select from auth.live_devices l where l.device_id = d.device_id)",
        (row[0],),
    )
    return "removed" if done else ""


_STRANGERS = """
select d.device_id, d.user_id, l.user_id from key.devices d
join auth.live_devices l on l.device_id = d.device_id
where d.device_id = any(%(ids)s::uuid[]) and d.user_id <> l.user_id
"""

_HIGHEST = """
select d.device_id, d.highest_one_time_id, o.highest, d.highest_kem_id, k.highest from key.devices d
left join lateral (
    select max(key_id) as highest from key.one_time_prekeys o where o.device_id = d.device_id
) o on true
left join lateral (
    select greatest(
        max(key_id), (select key_id from key.last_resort_prekeys l where l.device_id = d.device_id)
    ) as highest
    from key.kem_prekeys k where k.device_id = d.device_id
) k on true
where d.device_id = any(%(ids)s::uuid[])
    and (coalesce(o.highest, -1) > coalesce(d.highest_one_time_id, -1)
        or coalesce(k.highest, -1) > coalesce(d.highest_kem_id, -1))
"""


def _raise_highest(database: Administrator, row: Row) -> str:
    database.rows("select 1 from key.devices where device_id = %s for update", (row[0],))
    found = database.rows(_HIGHEST, {"ids": [row[0]]})
    if not found:
        return ""
    _, one_time, highest, kem, highest_kem = found[0]
    database.change(
        "update key.devices set highest_one_time_id = greatest(%s::integer, %s::integer),"
        " highest_kem_id = greatest(%s::integer, %s::integer) where device_id = %s",
        (one_time, highest, kem, highest_kem, row[0]),
    )
    return "the marks are raised"


_MEMBERS = """
select m.user_id, count(*), u.user_id is null from message.members m
left join auth.users u on u.user_id = m.user_id
where m.user_id = any(%(ids)s::uuid[]) and m.left_seq is null
    and (u.user_id is null or u.deleted_at < now() - interval '1 minute')
group by m.user_id, u.user_id
"""

CHECKS = (
    Check(
        "devices of deleted users",
        _OWNERLESS,
        lambda row: f"device {row[0]} belongs to user {row[1]}, who is deleted",
        walk=_USERS,
        mend=_remove_devices,
    ),
    Check(
        "sessions",
        _SESSIONS,
        lambda row: f"session {row[0]} of user {row[2]} is open, of {row[3]}",
        walk=page_of("auth.sessions", "session_id"),
        mend=_end_session,
    ),
    Check(
        "signing keys",
        _SIGNING,
        lambda row: "no key signs access tokens",
        left="`messenger-admin keys rotate` makes one, and so does the start of an auth service",
    ),
    Check(
        "keys of devices",
        _DEPARTED,
        lambda row: f"there are keys of device {row[0]} of user {row[1]}, which is not there",
        walk=_KEY_DEVICES,
        mend=_forget_keys,
        twice=True,
    ),
    Check(
        "owners of keys",
        _STRANGERS,
        lambda row: f"keys of device {row[0]} are user {row[1]}'s, the device is {row[2]}'s",
        walk=_KEY_DEVICES,
        left="remove the device: `messenger-admin devices`; its user logs in again",
    ),
    Check(
        "highest key ids",
        _HIGHEST,
        lambda row: (
            f"device {row[0]} has prekeys up to {row[2]} and KEM prekeys up to {row[4]}, its marks are"
            f" {row[1]} and {row[3]}"
        ),
        walk=_KEY_DEVICES,
        mend=_raise_highest,
    ),
    Check(
        "members who are gone",
        _MEMBERS,
        lambda row: f"user {row[0]} is not there and a member of {row[1]} conversations",
        walk=distinct_page_of("message.members", "user_id"),
        left="the message service removes deleted users; of one who never was nothing is known",
        twice=True,
    ),
)
