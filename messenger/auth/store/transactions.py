"""Parts of transactions that several stores of this service share.

Rows are locked in the order user, session, device, so that no two transactions wait for each other; whatever
concerns a user's factors and challenges is done under the user's lock.
"""

from typing import Any

from messenger.auth.model import EndReason, LoginState, NewSession
from messenger.core.database.connection import Row
from messenger.core.database.transaction import Transaction
from messenger.core.outbox import record
from messenger.core.outgoing import Outgoing
from messenger.wire.auth import Kdf, User
from messenger.wire.codec import Decoder, encode
from messenger.wire.events import DeviceChanged, Event, SessionEnded, UserDeleted, UserRemoval
from messenger.wire.times import moment_text

_KDF: Decoder[Kdf] = Decoder(Kdf)


def user_of(row: Row) -> User:
    """A user from its id, name and time of creation."""
    return User(row[0], row[1], moment_text(row[2]))


def kdf_text(kdf: Kdf | None) -> str | None:
    """How a password is derived, as the column `kdf` has it."""
    return None if kdf is None else encode(kdf).decode("ascii")


def read_kdf(text: str | None) -> Kdf | None:
    """How a password is derived, from the column `kdf`; None where it is not."""
    return None if text is None else _KDF.decode(text.encode("ascii"))


async def add_user(
    tx: Transaction, user_id: str, username: str, password_hash: str, kdf: Kdf | None
) -> User | None:
    """Store a user; None where the name was given out before."""
    row = await tx.row(
        "insert into auth.users (user_id, username, password_hash, kdf) values (%s, %s, %s, %s)"
        " on conflict (username) do nothing returning user_id, username, created_at",
        (user_id, username, password_hash, kdf_text(kdf)),
    )
    return None if row is None else user_of(row)


async def add_device(tx: Transaction, user_id: str, session: NewSession, device_name: str | None) -> None:
    """Store the session's device as a new one."""
    await tx.write(
        "insert into auth.devices (device_id, user_id, device_name) values (%s, %s, %s)",
        (session.device_id, user_id, device_name),
    )


async def add_session(tx: Transaction, user_id: str, session: NewSession) -> None:
    """Store a session, whose device is there."""
    await tx.write(
        """
        insert into auth.sessions
            (session_id, user_id, device_id, auth_time, refresh_hash, expires_at, token_until)
        values (%s, %s, %s, %s, %s, now() + %s * interval '1 second', now() + %s * interval '1 second')
        """,
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


async def lock_user(tx: Transaction, user_id: str) -> str | None:
    """Lock the user; the hash of the password that lets the user in, None where none does."""
    row = await tx.row(
        "select case when disabled_at is null then password_hash end from auth.users where user_id = %s"
        " for no key update",
        (user_id,),
    )
    return row[0] if row else None


async def login_state(tx: Transaction, user_id: str) -> LoginState:
    """Lock the user; what a login is judged by."""
    password_hash = await lock_user(tx, user_id)
    # After the lock: what committed while it was waited for is seen.
    row = await tx.row(
        """
        select array(select device_id from auth.devices where user_id = %s),
            exists (select from auth.factors where user_id = %s and confirmed_at is not null)
        """,
        (user_id, user_id),
    )
    assert row is not None
    return LoginState(password_hash, frozenset(row[0]), row[1])


async def open_session(
    tx: Transaction, user_id: str, session: NewSession, device_name: str | None, *, new_device: bool
) -> list[Outgoing]:
    """Store a session, under the user's lock, and end its device's older one."""
    ended: list[SessionEnded] = []
    if new_device:
        await add_device(tx, user_id, session, device_name)
    else:
        ended = await end_device(tx, EndReason.replaced, user_id, session.device_id)
        await see_device(tx, user_id, session.device_id, device_name)
    await add_session(tx, user_id, session)
    return await record(tx, ended)


async def see_device(tx: Transaction, user_id: str, device_id: str, device_name: str | None = None) -> None:
    """The device was seen just now; it is called `device_name` from now on, unless that is None."""
    await tx.write(
        "update auth.devices set last_seen_at = now(), device_name = coalesce(%s, device_name)"
        " where device_id = %s and user_id = %s",
        (device_name, device_id, user_id),
    )


async def end_session(tx: Transaction, reason: EndReason, session_id: str) -> list[SessionEnded]:
    """End this session, if it lives; what to tell of it."""
    return await end_sessions(tx, reason, "session_id = %(session_id)s", session_id=session_id)


async def end_device(tx: Transaction, reason: EndReason, user_id: str, device_id: str) -> list[SessionEnded]:
    """End the live session of a user's device; what to tell of it."""
    where = "device_id = %(device_id)s and user_id = %(user_id)s"
    return await end_sessions(tx, reason, where, device_id=device_id, user_id=user_id)


async def end_user(tx: Transaction, reason: EndReason, user_id: str) -> list[SessionEnded]:
    """End all live sessions of a user; what to tell of them."""
    return await end_sessions(tx, reason, "user_id = %(user_id)s", user_id=user_id)


async def end_sessions(
    tx: Transaction, reason: EndReason, where: str, **parameters: Any
) -> list[SessionEnded]:
    """End the live sessions for which `where` holds, a condition in SQL; what to tell of them."""
    rows = await tx.rows(
        "update auth.sessions set ended_at = now(), end_reason = %(reason)s"  # noqa: S608 - our own words
        f" where ended_at is null and {where} returning session_id, user_id, device_id",
        {"reason": reason, **parameters},
    )
    return [SessionEnded(session_id=row[0], user_id=row[1], device_id=row[2]) for row in rows]


def removed(rows: list[Row]) -> list[DeviceChanged]:
    """Events of devices that have just been removed; a row has the ids of a device and its user."""
    return [DeviceChanged(event="removed", device_id=row[0], user_id=row[1]) for row in rows]


async def remove_account(tx: Transaction, user_id: str) -> list[Outgoing]:
    """All that goes with an account whose row says that it is deleted."""
    ended = await end_user(tx, EndReason.deleted, user_id)
    devices = await tx.rows(
        "delete from auth.devices where user_id = %s returning device_id, user_id", (user_id,)
    )
    await remove_factors(tx, user_id)
    gone: list[Event] = [UserDeleted(user_id=user_id), UserRemoval(user_id=user_id)]
    return await record(tx, [*ended, *removed(devices), *gone])


async def remove_factors(tx: Transaction, user_id: str) -> bool:
    """Remove a user's second factor and all that belongs to it; whether there was one."""
    found = await tx.write("delete from auth.factors where user_id = %s and kind = 'totp'", (user_id,))
    await remove_recovery_codes(tx, user_id)
    await remove_challenges(tx, user_id)
    return bool(found)


async def remove_recovery_codes(tx: Transaction, user_id: str) -> None:
    """Remove all of a user's recovery codes."""
    await tx.write("delete from auth.recovery_codes where user_id = %s", (user_id,))


async def remove_challenges(tx: Transaction, user_id: str) -> None:
    """Remove the logins of a user that wait for a second factor."""
    await tx.write("delete from auth.challenges where user_id = %s", (user_id,))
