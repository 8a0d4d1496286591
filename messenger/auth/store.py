"""Accounts, devices and sessions in PostgreSQL, schema `auth`.

Whatever must be judged before it is written is read under a lock of its row, judged by the domain's rule and
written in one transaction, events included. Rows are locked in the order user, session, device, so that no
two transactions wait for each other.
"""

from collections.abc import Callable, Sequence

from messenger.auth import sql
from messenger.auth.ports import (
    Credentials,
    EndReason,
    InviteRefused,
    LoginState,
    NewAccount,
    NewSession,
    Outgoing,
    Refreshed,
    SessionState,
    Spending,
    Verdict,
)
from messenger.auth.writes import (
    add_session,
    ended_events,
    kdf_text,
    login_state,
    open_session,
    read_kdf,
    record,
    remove_account,
    removed_events,
    user_of,
)
from messenger.core.database import Database, Row, Transaction
from messenger.core.identity import Identity
from messenger.wire.auth import Device, Kdf, User
from messenger.wire.times import moment_text

SWEEP_BATCH = 200


class AuthStore:
    """The Store of messenger/auth/ports.py."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # accounts

    async def invite_good(self, invite_hash: bytes) -> bool:
        return bool(await self._database.read(sql.INVITE_GOOD, (invite_hash,)))

    async def add_account(self, account: NewAccount, session: NewSession) -> User | None:
        async def body(tx: Transaction) -> User | None:
            added = await tx.row(
                sql.ADD_USER,
                (account.user_id, account.username, account.password_hash, kdf_text(account.kdf)),
            )
            if added is None:
                return None
            if account.invite_hash is not None and not await tx.write(
                sql.SPEND_INVITE, (account.invite_hash,)
            ):
                raise InviteRefused
            await tx.write(sql.ADD_DEVICE, (session.device_id, account.user_id, account.device_name))
            await add_session(tx, account.user_id, session)
            return User(account.user_id, account.username, moment_text(added[0]))

        return await self._database.transaction(body)

    async def credentials(self, username: str) -> Credentials | None:
        return _credentials(await self._database.read(sql.CREDENTIALS.format("username"), (username,)))

    async def credentials_of(self, user_id: str) -> Credentials | None:
        return _credentials(await self._database.read(sql.CREDENTIALS.format("user_id"), (user_id,)))

    async def set_password(
        self, user_id: str, old_hash: str, new_hash: str, kdf: Kdf | None, keep_session: str
    ) -> list[Outgoing] | None:
        async def body(tx: Transaction) -> list[Outgoing] | None:
            if not await tx.write(sql.SET_HASH_AND_KDF, (new_hash, kdf_text(kdf), user_id, old_hash)):
                return None
            ended = await tx.rows(
                sql.END_OTHERS, {"reason": EndReason.password, "user_id": user_id, "kept": keep_session}
            )
            return await record(tx, ended_events(ended))

        return await self._database.transaction(body)

    async def rehash(self, user_id: str, old_hash: str, new_hash: str) -> bool:
        return bool(
            await self._database.write(sql.REPLACE_HASH + " returning 1", (new_hash, user_id, old_hash))
        )

    async def delete_account(self, user_id: str, password_hash: str) -> list[Outgoing] | None:
        async def body(tx: Transaction) -> list[Outgoing] | None:
            if not await tx.write(sql.DELETE_USER, (user_id, password_hash)):
                return None
            return await remove_account(tx, user_id)

        return await self._database.transaction(body)

    # sessions

    async def open_session(
        self, user_id: str, session: NewSession, device_name: str | None, rule: Callable[[LoginState], bool]
    ) -> list[Outgoing]:
        async def body(tx: Transaction) -> list[Outgoing]:
            state = await login_state(tx, user_id)
            return await open_session(tx, user_id, session, device_name, rule(state))

        return await self._database.transaction(body)

    async def refresh(self, spending: Spending, rule: Callable[[SessionState], Verdict]) -> Refreshed | None:
        async def body(tx: Transaction) -> Refreshed | None:
            row = await tx.row(sql.READ_SESSION, (spending.session_id,))
            if row is None:
                return None
            verdict = rule(SessionState(*row[:6]))
            user_id, username, created_at, device_id, auth_time = row[6:]
            events: list[Outgoing] = []
            if verdict is Verdict.spend:
                await tx.write(
                    sql.SPEND,
                    (
                        spending.token_hash,
                        spending.successor_hash,
                        spending.lifetime,
                        spending.token_lifetime,
                        spending.session_id,
                    ),
                )
                await tx.write(sql.SEE_DEVICE, (None, device_id, user_id))
            elif verdict is Verdict.repeat:
                await tx.write(sql.PROLONG, (spending.token_lifetime, spending.session_id))
            elif verdict is Verdict.reused:
                ended = await tx.rows(
                    sql.END_ONE, {"reason": EndReason.reused, "session_id": spending.session_id}
                )
                events = await record(tx, ended_events(ended))
            user = User(user_id, username, moment_text(created_at))
            return Refreshed(verdict, user, device_id, auth_time, events)

        return await self._database.transaction(body)

    async def end_session(self, session_id: str) -> list[Outgoing]:
        async def body(tx: Transaction) -> list[Outgoing]:
            ended = await tx.rows(sql.END_ONE, {"reason": EndReason.logout, "session_id": session_id})
            return await record(tx, ended_events(ended))

        return await self._database.transaction(body)

    async def add_ticket(self, ticket_hash: bytes, identity: Identity, lifetime: float) -> bool:
        return bool(
            await self._database.write(
                sql.ADD_TICKET,
                (ticket_hash, identity.auth_time, identity.expires_at, lifetime, identity.session_id),
            )
        )

    # devices

    async def devices(self, user_id: str, current: str) -> list[Device]:
        return [
            Device(
                device_id=device_id,
                device_name=name,
                created_at=moment_text(created_at),
                last_seen_at=moment_text(last_seen_at),
                current=device_id == current,
            )
            for device_id, name, created_at, last_seen_at in await self._database.read(
                sql.DEVICES, (user_id,)
            )
        ]

    async def remove_device(self, user_id: str, device_id: str) -> list[Outgoing] | None:
        async def body(tx: Transaction) -> list[Outgoing] | None:
            await tx.rows(sql.LOCK_USER, (user_id,))
            ended = await tx.rows(
                sql.END_OF_DEVICE,
                {"reason": EndReason.removed, "device_id": device_id, "user_id": user_id},
            )
            devices = await tx.rows(sql.REMOVE_DEVICE, (device_id, user_id))
            return await record(tx, [*ended_events(ended), *removed_events(devices)]) if devices else None

        return await self._database.transaction(body)

    # users

    async def users(self, user_ids: Sequence[str]) -> list[User]:
        return [user_of(row) for row in await self._database.read(sql.USERS, (list(user_ids),))]

    async def user_named(self, username: str) -> User | None:
        rows = await self._database.read(sql.USER_NAMED, (username,))
        return user_of(rows[0]) if rows else None

    async def name_taken(self, username: str) -> bool:
        return bool(await self._database.read(sql.NAME_TAKEN, (username,)))

    async def derivation(self, username: str) -> tuple[Kdf | None] | None:
        rows = await self._database.read(sql.KDF, (username,))
        if not rows:
            return None
        return (read_kdf(rows[0][0]),)

    # upkeep

    async def sweep(self, unseen: float) -> list[Outgoing]:
        async def body(tx: Transaction) -> list[Outgoing]:
            found = await tx.rows(sql.STALE_DEVICES, (unseen, SWEEP_BATCH))
            if not found:
                return []
            device_ids = [row[0] for row in found]
            users = await tx.rows(sql.LOCK_FREE_USERS, ([row[1] for row in found],))
            await tx.rows(sql.LOCK_SESSIONS, (device_ids,))
            devices = await tx.rows(sql.REMOVE_STALE, (device_ids, [user for (user,) in users], unseen))
            ended = await tx.rows(
                sql.END_OF_DEVICES,
                {"reason": EndReason.removed, "device_ids": [device[0] for device in devices]},
            )
            return await record(tx, [*ended_events(ended), *removed_events(devices)])

        events = await self._database.transaction(body)
        await self._database.write(sql.OLD_SESSIONS, (SWEEP_BATCH,))
        await self._database.write(sql.OLD_TICKETS, (10 * SWEEP_BATCH,))
        await self._database.write(sql.OLD_CHALLENGES, (10 * SWEEP_BATCH,))
        await self._database.write(sql.OLD_KEYS)
        return events


def _credentials(rows: list[Row]) -> Credentials | None:
    return Credentials(user_of(rows[0]), rows[0][3]) if rows else None
