"""Administration of accounts in PostgreSQL.

Each change is written together with a row in `auth.audit` that says who did it, and with the events that
tell the services. A method that changes something gives None or False where there was nothing to change.
"""

from dataclasses import dataclass
from datetime import datetime

from messenger.auth.model import EndReason
from messenger.auth.store.audit import Audit
from messenger.auth.store.invites import InviteStore
from messenger.auth.store.signing_keys import SigningKeyStore
from messenger.auth.store.transactions import (
    add_user,
    end_session,
    end_user,
    kdf_text,
    read_kdf,
    remove_account,
    remove_challenges,
    remove_factors,
)
from messenger.core.database.connection import Row
from messenger.core.database.pool import Database
from messenger.core.database.transaction import Transaction, in_transaction
from messenger.core.outbox import record
from messenger.core.outgoing import Outgoing
from messenger.wire.auth import Kdf

_USER = """
    select u.user_id, u.username, u.created_at,
        case when u.deleted_at is not null then 'deleted'
            when u.disabled_at is not null then 'disabled' else 'active' end,
        (select count(*) from auth.devices d where d.user_id = u.user_id),
        (select count(*) from auth.sessions s where s.user_id = u.user_id and s.ended_at is null),
        (select max(d.last_seen_at) from auth.devices d where d.user_id = u.user_id),
        exists (select from auth.factors f where f.user_id = u.user_id and f.confirmed_at is not null)
    from auth.users u where
"""


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A user as an administrator sees it; `state` is active, disabled or deleted."""

    user_id: str
    username: str
    created_at: datetime
    state: str
    devices: int
    sessions: int
    last_seen_at: datetime | None
    second_factor: bool


class AdminStore:
    """Users, their devices and sessions, as an administrator changes them; beside it what else one changes.
    `actor` is who acts, as the audit log has it."""

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
        self.audit = Audit(database, actor)
        self.signing_keys = SigningKeyStore(database)
        self.invites = InviteStore(database, self.audit)

    async def users(self, after: str, limit: int) -> list[KnownUser]:
        """Users by name, those after a name."""
        return await self._users("u.username > %s order by u.username limit %s", after, limit)

    async def user_named(self, username: str) -> KnownUser | None:
        """The user of this name, deleted or not."""
        found = await self._users("u.username = %s", username)
        return found[0] if found else None

    async def user(self, user_id: str) -> KnownUser | None:
        """The user of this id, deleted or not."""
        found = await self._users("u.user_id = %s", user_id)
        return found[0] if found else None

    async def _users(self, which: str, *parameters: str | int) -> list[KnownUser]:
        return [KnownUser(*row) for row in await self._database.read(_USER + which, parameters)]

    async def derivation(self, username: str) -> Kdf | None:
        """How the password of this user is derived; None where it is not, or there is no such user."""
        rows = await self._database.read(
            "select kdf from auth.users where username = %s and deleted_at is null", (username,)
        )
        return read_kdf(rows[0][0]) if rows else None

    @in_transaction
    async def create(
        self, tx: Transaction, user_id: str, username: str, password_hash: str, kdf: Kdf
    ) -> bool:
        """Make an account without a device; False where the name was given out before."""
        added = await add_user(tx, user_id, username, password_hash, kdf)
        return await self.audit.noted(tx, "users create", user_id, added is not None)

    @in_transaction
    async def reset_password(
        self, tx: Transaction, user_id: str, password_hash: str, kdf: Kdf
    ) -> list[Outgoing] | None:
        """Set a password that the user did not choose, and end all sessions and logins under way."""
        if not await _lock(tx, user_id):
            return None
        await tx.write(
            "update auth.users set password_hash = %s, kdf = %s where user_id = %s",
            (password_hash, kdf_text(kdf), user_id),
        )
        await remove_challenges(tx, user_id)
        return await self._end(tx, user_id, EndReason.password, "users reset-password")

    @in_transaction
    async def disable(self, tx: Transaction, user_id: str) -> list[Outgoing] | None:
        """Let the user in no more, and end all sessions."""
        if not await _lock(tx, user_id):
            return None
        if not await tx.write(
            "update auth.users set disabled_at = now() where user_id = %s and disabled_at is null",
            (user_id,),
        ):
            return None
        return await self._end(tx, user_id, EndReason.disabled, "users disable")

    @in_transaction
    async def enable(self, tx: Transaction, user_id: str) -> bool:
        """Let the user in again."""
        if not await _lock(tx, user_id):
            return False
        found = await tx.write(
            "update auth.users set disabled_at = null where user_id = %s and disabled_at is not null",
            (user_id,),
        )
        return await self.audit.noted(tx, "users enable", user_id, bool(found))

    @in_transaction
    async def delete(self, tx: Transaction, user_id: str) -> list[Outgoing] | None:
        """Delete the account, as its user could; the name stays taken."""
        if not await _lock(tx, user_id):
            return None
        await tx.write(
            "update auth.users set password_hash = null, kdf = null, deleted_at = now() where user_id = %s",
            (user_id,),
        )
        await self.audit.note(tx, "users delete", user_id)
        return await remove_account(tx, user_id)

    @in_transaction
    async def reset_factor(self, tx: Transaction, user_id: str) -> bool:
        """Remove the second factor of a user who has lost it."""
        if not await _lock(tx, user_id):
            return False
        return await self.audit.noted(tx, "users reset-factor", user_id, await remove_factors(tx, user_id))

    # devices and sessions

    async def devices(self, user_id: str) -> list[Row]:
        """Each device's id, name, creation and last sight."""
        return await self._database.read(
            "select device_id, device_name, created_at, last_seen_at from auth.devices"
            " where user_id = %s order by created_at, device_id",
            (user_id,),
        )

    async def sessions(self, user_id: str) -> list[Row]:
        """Each session's id, device, login, last refresh, expiry, end and its reason."""
        return await self._database.read(
            "select session_id, device_id, to_timestamp(auth_time), spent_at, expires_at, ended_at,"
            " end_reason from auth.sessions where user_id = %s order by auth_time, session_id",
            (user_id,),
        )

    @in_transaction
    async def end_session(self, tx: Transaction, session_id: str) -> list[Outgoing] | None:
        """End a session; its device stays."""
        ended = await end_session(tx, EndReason.admin, session_id)
        if not ended:
            return None
        await self.audit.note(tx, "sessions end", session_id)
        return await record(tx, ended)

    @in_transaction
    async def end_sessions(self, tx: Transaction, user_id: str) -> list[Outgoing] | None:
        """End all sessions of a user."""
        if not await _lock(tx, user_id):
            return None
        return await self._end(tx, user_id, EndReason.admin, "sessions end --user")

    async def _end(self, tx: Transaction, user_id: str, reason: EndReason, action: str) -> list[Outgoing]:
        ended = await end_user(tx, reason, user_id)
        await self.audit.note(tx, action, user_id)
        return await record(tx, ended)


async def _lock(tx: Transaction, user_id: str) -> bool:
    """Lock a user; False where it is not there, or deleted."""
    found = await tx.rows(
        "select 1 from auth.users where user_id = %s and deleted_at is null for no key update", (user_id,)
    )
    return bool(found)
