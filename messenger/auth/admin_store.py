"""What administrators do to accounts, in PostgreSQL, schema `auth`.

Each change is written together with a row in `auth.audit` that says who did it, and with the events that
tell the services. A method that changes something gives None where there was nothing to change.
"""

from dataclasses import dataclass
from datetime import datetime

from messenger.auth import admin_sql as sql
from messenger.auth import sql as shared
from messenger.auth.key_store import ROTATION_LOCK
from messenger.auth.ports import EndReason, Outgoing
from messenger.auth.signing import NewKey
from messenger.auth.writes import (
    ended_events,
    kdf_text,
    read_kdf,
    record,
    remove_account,
    remove_factors,
)
from messenger.core.database import Database, Row, Transaction
from messenger.wire.auth import Kdf


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
    """`actor` is who acts, as it is written down."""

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
        self._actor = actor

    async def audit(self, limit: int) -> list[Row]:
        """The latest actions: when, who, what, on what."""
        return await self._database.read(sql.AUDIT, (limit,))

    # signing keys

    async def rotate_key(self, key: NewKey, announce: float, token_lifetime: float) -> datetime | None:
        """Publish `key`, which signs `announce` seconds from now on; the others verify until the last token
        of theirs has expired. When it will sign; None where another new key waits for its time."""

        async def body(tx: Transaction) -> datetime | None:
            await tx.rows(shared.LOCK, (ROTATION_LOCK,))
            if await tx.rows(sql.ANNOUNCED):
                return None
            await tx.write(sql.RETIRE_KEYS, (announce, token_lifetime))
            added = await tx.row(sql.ANNOUNCE_KEY, (key.kid, key.public_key, key.private_key, announce))
            assert added is not None
            await self._note(tx, "keys rotate", key.kid)
            active_at: datetime = added[0]
            return active_at

        return await self._database.transaction(body)

    async def signing_key(self) -> tuple[str, bytes]:
        """Id and sealed private part of the key that signs now."""
        kid, sealed = (await self._database.read(shared.SIGNING_KEY))[0]
        return kid, sealed

    async def keys(self) -> list[Row]:
        """Each key's id, when it was made, signs from, verifies until, and what it does now."""
        return await self._database.read(sql.KEYS)

    # invites

    async def add_invite(self, invite_hash: bytes, uses: int, lifetime: float) -> str:
        """Store an invite; the id that it goes by from now on."""

        async def body(tx: Transaction) -> str:
            await tx.write(sql.ADD_INVITE, (invite_hash, uses, lifetime))
            name = invite_hash.hex()[:16]
            await self._note(tx, "invites make", name)
            return name

        return await self._database.transaction(body)

    async def invites(self, limit: int) -> list[Row]:
        """Each invite's id, uses left, creation, expiry and state, latest first."""
        return await self._database.read(sql.INVITES, (limit,))

    async def revoke_invite(self, name: str) -> bool:
        """Whether there was such an invite."""

        async def body(tx: Transaction) -> bool:
            if not await tx.write(sql.REVOKE_INVITE, (name,)):
                return False
            await self._note(tx, "invites revoke", name)
            return True

        return await self._database.transaction(body)

    # users

    async def users(self, after: str, limit: int) -> list[KnownUser]:
        """Users by name, those after a name."""
        return [KnownUser(*row) for row in await self._database.read(sql.USERS, (after, limit))]

    async def user_named(self, username: str) -> KnownUser | None:
        """The user of this name, deleted or not."""
        rows = await self._database.read(sql.USER_BY_NAME, (username,))
        return KnownUser(*rows[0]) if rows else None

    async def user(self, user_id: str) -> KnownUser | None:
        """The user of this id, deleted or not."""
        rows = await self._database.read(sql.USER_BY_ID, (user_id,))
        return KnownUser(*rows[0]) if rows else None

    async def derivation(self, username: str) -> Kdf | None:
        """How the password of this user is derived; None where it is not, or there is no such user."""
        rows = await self._database.read(shared.KDF, (username,))
        return read_kdf(rows[0][0]) if rows else None

    async def create(self, user_id: str, username: str, password_hash: str, kdf: Kdf) -> bool:
        """Make an account without a device; False where the name was given out before."""

        async def body(tx: Transaction) -> bool:
            if await tx.row(shared.ADD_USER, (user_id, username, password_hash, kdf_text(kdf))) is None:
                return False
            await self._note(tx, "users create", user_id)
            return True

        return await self._database.transaction(body)

    async def reset_password(self, user_id: str, password_hash: str, kdf: Kdf) -> list[Outgoing] | None:
        """Set a password that the user did not choose, and end all sessions and logins under way."""

        async def body(tx: Transaction) -> list[Outgoing] | None:
            if not await tx.rows(sql.LOCK, (user_id,)):
                return None
            await tx.write(sql.SET_HASH, (password_hash, kdf_text(kdf), user_id))
            await tx.write(shared.REMOVE_CHALLENGES, (user_id,))
            return await self._end(tx, user_id, EndReason.password, "users reset-password")

        return await self._database.transaction(body)

    async def disable(self, user_id: str) -> list[Outgoing] | None:
        """Let the user in no more, and end all sessions."""

        async def body(tx: Transaction) -> list[Outgoing] | None:
            if not await tx.rows(sql.LOCK, (user_id,)) or not await tx.write(sql.DISABLE, (user_id,)):
                return None
            return await self._end(tx, user_id, EndReason.disabled, "users disable")

        return await self._database.transaction(body)

    async def enable(self, user_id: str) -> bool:
        """Let the user in again."""

        async def body(tx: Transaction) -> bool:
            if not await tx.rows(sql.LOCK, (user_id,)) or not await tx.write(sql.ENABLE, (user_id,)):
                return False
            await self._note(tx, "users enable", user_id)
            return True

        return await self._database.transaction(body)

    async def delete(self, user_id: str) -> list[Outgoing] | None:
        """Delete the account, as its user could; the name stays taken."""

        async def body(tx: Transaction) -> list[Outgoing] | None:
            if not await tx.rows(sql.LOCK, (user_id,)):
                return None
            await tx.write(sql.DELETE, (user_id,))
            await self._note(tx, "users delete", user_id)
            return await remove_account(tx, user_id)

        return await self._database.transaction(body)

    async def reset_factor(self, user_id: str) -> bool:
        """Remove the second factor of a user who has lost it."""

        async def body(tx: Transaction) -> bool:
            if not await tx.rows(sql.LOCK, (user_id,)) or not await remove_factors(tx, user_id):
                return False
            await self._note(tx, "users reset-factor", user_id)
            return True

        return await self._database.transaction(body)

    # devices and sessions

    async def devices(self, user_id: str) -> list[Row]:
        """Each device's id, name, creation and last sight."""
        return await self._database.read(sql.DEVICES, (user_id,))

    async def sessions(self, user_id: str) -> list[Row]:
        """Each session's id, device, login, last refresh, expiry, end and its reason."""
        return await self._database.read(sql.SESSIONS, (user_id,))

    async def end_session(self, session_id: str) -> list[Outgoing] | None:
        """End a session; its device stays."""

        async def body(tx: Transaction) -> list[Outgoing] | None:
            ended = await tx.rows(shared.END_ONE, {"reason": EndReason.admin, "session_id": session_id})
            if not ended:
                return None
            await self._note(tx, "sessions end", session_id)
            return await record(tx, ended_events(ended))

        return await self._database.transaction(body)

    async def end_sessions(self, user_id: str) -> list[Outgoing] | None:
        """End all sessions of a user."""

        async def body(tx: Transaction) -> list[Outgoing] | None:
            if not await tx.rows(sql.LOCK, (user_id,)):
                return None
            return await self._end(tx, user_id, EndReason.admin, "sessions end --user")

        return await self._database.transaction(body)

    async def _end(self, tx: Transaction, user_id: str, reason: EndReason, action: str) -> list[Outgoing]:
        ended = await tx.rows(shared.END_OF_USER, {"reason": reason, "user_id": user_id})
        await self._note(tx, action, user_id)
        return await record(tx, ended_events(ended))

    async def _note(self, tx: Transaction, action: str, subject: str) -> None:
        await tx.write(sql.NOTE, (self._actor, action, subject))
