"""Parts of transactions that several stores of this service share: locks, sessions, events.

Rows are locked in the order user, session, device, so that no two transactions wait for each other; whatever
concerns a user's factors and challenges is done under the user's lock.
"""

from collections.abc import Iterable, Sequence

from messenger.auth import sql
from messenger.auth.ports import EndReason, Event, LoginState, NewSession, Outgoing
from messenger.core.database import Row, Transaction
from messenger.core.ids import new_id
from messenger.wire.auth import Kdf, User
from messenger.wire.codec import Decoder, encode
from messenger.wire.events import (
    DEVICE,
    REMOVE_USER,
    SESSION_ENDED,
    USER_DELETED,
    DeviceChanged,
    SessionEnded,
    UserDeleted,
    UserRemoval,
)
from messenger.wire.times import moment_text

_SUBJECTS = {
    SessionEnded: SESSION_ENDED,
    DeviceChanged: DEVICE,
    UserDeleted: USER_DELETED,
    UserRemoval: REMOVE_USER,
}
_KDF: Decoder[Kdf] = Decoder(Kdf)


async def login_state(tx: Transaction, user_id: str) -> LoginState:
    """Lock the user; what a login is judged by."""
    found = await tx.row(sql.LOCK_USER, (user_id,))
    row = await tx.row(sql.LOGIN_STATE, (user_id, user_id))
    assert row is not None
    return LoginState(found[0] if found else None, frozenset(row[0]), row[1])


async def open_session(
    tx: Transaction, user_id: str, session: NewSession, device_name: str | None, new_device: bool
) -> list[Outgoing]:
    """Store a session, under the user's lock, and end its device's older one."""
    ended: list[Row] = []
    if new_device:
        await tx.write(sql.ADD_DEVICE, (session.device_id, user_id, device_name))
    else:
        ended = await tx.rows(
            sql.END_OF_DEVICE,
            {"reason": EndReason.replaced, "device_id": session.device_id, "user_id": user_id},
        )
        await tx.write(sql.SEE_DEVICE, (device_name, session.device_id, user_id))
    await add_session(tx, user_id, session)
    return await record(tx, ended_events(ended))


async def remove_account(tx: Transaction, user_id: str) -> list[Outgoing]:
    """All that goes with an account whose row says that it is deleted."""
    ended = await tx.rows(sql.END_OF_USER, {"reason": EndReason.deleted, "user_id": user_id})
    devices = await tx.rows(sql.REMOVE_DEVICES, (user_id,))
    await remove_factors(tx, user_id)
    gone: list[Event] = [UserDeleted(user_id=user_id), UserRemoval(user_id=user_id)]
    return await record(tx, [*ended_events(ended), *removed_events(devices), *gone])


async def remove_factors(tx: Transaction, user_id: str) -> bool:
    """Remove a user's second factor and all that belongs to it; whether there was one."""
    found = await tx.write(sql.REMOVE_TOTP, (user_id,))
    await tx.write(sql.REMOVE_RECOVERY_HASHES, (user_id,))
    await tx.write(sql.REMOVE_CHALLENGES, (user_id,))
    return bool(found)


def user_of(row: Row) -> User:
    """A user from its id, name and time of creation."""
    return User(row[0], row[1], moment_text(row[2]))


def kdf_text(kdf: Kdf | None) -> str | None:
    """How a password is derived, as the column `kdf` has it."""
    return None if kdf is None else encode(kdf).decode("ascii")


def read_kdf(text: str | None) -> Kdf | None:
    """What the column `kdf` says."""
    return None if text is None else _KDF.decode(text.encode("ascii"))


async def add_session(tx: Transaction, user_id: str, session: NewSession) -> None:
    """Store a session."""
    await tx.write(
        sql.ADD_SESSION,
        (
            session.session_id,
            user_id,
            session.device_id,
            session.auth_time,
            session.refresh_hash,
            session.lifetime,
            session.token_lifetime,
        ),
    )


def ended_events(rows: Iterable[Row]) -> list[Event]:
    """What to tell of sessions that have just been ended."""
    return [SessionEnded(session_id=row[0], user_id=row[1], device_id=row[2]) for row in rows]


def removed_events(rows: Iterable[Row]) -> list[Event]:
    """What to tell of devices that have just been removed."""
    return [DeviceChanged(event="removed", device_id=row[0], user_id=row[1]) for row in rows]


async def record(tx: Transaction, events: Sequence[Event]) -> list[Outgoing]:
    """Write events into the outbox, to be sent after the commit."""
    if not events:
        return []
    outgoing = [Outgoing(new_id(), _SUBJECTS[type(event)], event) for event in events]
    await tx.write(
        sql.ADD_EVENTS,
        (
            [one.event_id for one in outgoing],
            [one.subject for one in outgoing],
            [encode(one.event) for one in outgoing],
        ),
    )
    return outgoing
