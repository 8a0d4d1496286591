"""Accounts in PostgreSQL: users, their passwords, and the invites that let them in."""

from collections.abc import Sequence

from messenger.auth.model import Credentials, EndReason, NewAccount, NewSession, NotAdded
from messenger.auth.store.transactions import (
    add_device,
    add_session,
    add_user,
    end_sessions,
    kdf_text,
    read_kdf,
    remove_account,
    user_of,
)
from messenger.core.database.pool import Database
from messenger.core.database.transaction import Transaction, in_transaction
from messenger.core.outbox import record
from messenger.core.outgoing import Outgoing
from messenger.wire.auth import Kdf, KdfAnswer, User


class AccountStore:
    """Each method is atomic; events come back once they are committed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def invite_good(self, invite_hash: bytes) -> bool:
        """Whether the invite of this hash may be spent."""
        rows = await self._database.read(
            "select 1 from auth.invites"
            " where invite_hash = %s and uses_left > 0 and (expires_at is null or expires_at > now())",
            (invite_hash,),
        )
        return bool(rows)

    @in_transaction
    async def add(self, tx: Transaction, account: NewAccount, session: NewSession) -> User | NotAdded:
        """Store an account with its first device and session."""
        if account.invite_hash is not None and not await _lock_invite(tx, account.invite_hash):
            return NotAdded.invite_refused
        user = await add_user(tx, account.user_id, account.username, account.password_hash, account.kdf)
        if user is None:
            return NotAdded.username_taken
        if account.invite_hash is not None:
            await tx.write(
                "update auth.invites set uses_left = uses_left - 1 where invite_hash = %s",
                (account.invite_hash,),
            )
        await add_device(tx, account.user_id, session, account.device_name)
        await add_session(tx, account.user_id, session)
        return user

    async def credentials(self, username: str) -> Credentials | None:
        """The user of this name, unless deleted or disabled."""
        return await self._credentials("username", username)

    async def credentials_of(self, user_id: str) -> Credentials | None:
        """The user of this id, unless deleted or disabled."""
        return await self._credentials("user_id", user_id)

    async def _credentials(self, column: str, value: str) -> Credentials | None:
        rows = await self._database.read(
            "select user_id, username, created_at, password_hash from auth.users"  # noqa: S608 - our own words
            f" where {column} = %s and password_hash is not null and disabled_at is null",
            (value,),
        )
        return Credentials(user_of(rows[0]), rows[0][3]) if rows else None

    @in_transaction
    async def set_password(
        self, tx: Transaction, user_id: str, old_hash: str, new_hash: str, kdf: Kdf | None, keep_session: str
    ) -> list[Outgoing] | None:
        """Change the password and how it is derived, and end all sessions but one; None where `old_hash` is
        no longer the user's."""
        if not await tx.write(
            "update auth.users set password_hash = %s, kdf = %s where user_id = %s and password_hash = %s",
            (new_hash, kdf_text(kdf), user_id, old_hash),
        ):
            return None
        where = "user_id = %(user_id)s and session_id <> %(kept)s"
        ended = await end_sessions(tx, EndReason.password, where, user_id=user_id, kept=keep_session)
        return await record(tx, ended)

    async def rehash(self, user_id: str, old_hash: str, new_hash: str) -> bool:
        """Store the same password's new hash; False where the old one is no longer the user's."""
        rows = await self._database.write(
            "update auth.users set password_hash = %s where user_id = %s and password_hash = %s returning 1",
            (new_hash, user_id, old_hash),
        )
        return bool(rows)

    @in_transaction
    async def delete(self, tx: Transaction, user_id: str, password_hash: str) -> list[Outgoing] | None:
        """Delete all but the name; None where the hash is no longer the user's."""
        if not await tx.write(
            "update auth.users set password_hash = null, kdf = null, deleted_at = now()"
            " where user_id = %s and password_hash = %s",
            (user_id, password_hash),
        ):
            return None
        return await remove_account(tx, user_id)

    # what others see

    async def users(self, user_ids: Sequence[str]) -> list[User]:
        """Those that exist."""
        rows = await self._database.read(
            "select user_id, username, created_at from auth.users"
            " where user_id = any(%s::uuid[]) and deleted_at is null",
            (list(user_ids),),
        )
        return [user_of(row) for row in rows]

    async def user_named(self, username: str) -> User | None:
        """The user of this name, unless deleted."""
        rows = await self._database.read(
            "select user_id, username, created_at from auth.users where username = %s and deleted_at is null",
            (username,),
        )
        return user_of(rows[0]) if rows else None

    async def name_taken(self, username: str) -> bool:
        """Whether the name was ever given out."""
        return bool(await self._database.read("select 1 from auth.users where username = %s", (username,)))

    async def derivation(self, username: str) -> KdfAnswer | None:
        """How the password of the user of this name is derived, if it is; None where there is no such user,
        or it was deleted."""
        rows = await self._database.read(
            "select kdf from auth.users where username = %s and deleted_at is null", (username,)
        )
        return KdfAnswer(kdf=read_kdf(rows[0][0])) if rows else None


async def _lock_invite(tx: Transaction, invite_hash: bytes) -> bool:
    """Whether the invite is good, and stays so until this transaction has spent it."""
    row = await tx.row(
        "select 1 from auth.invites"
        " where invite_hash = %s and uses_left > 0 and (expires_at is null or expires_at > now()) for update",
        (invite_hash,),
    )
    return row is not None
