"""Sessions in PostgreSQL: logins, refresh tokens, tickets.

Whatever must be judged before it is written is read under a lock of its row, judged by the domain's rule and
written in one transaction, events included.
"""

from collections.abc import Callable

from messenger.auth.model import (
    EndReason,
    LoginState,
    LoginVerdict,
    NewSession,
    Refreshed,
    RefreshVerdict,
    SessionState,
    Spending,
)
from messenger.auth.store.transactions import end_session, login_state, open_session, see_device, user_of
from messenger.core.database.pool import Database
from messenger.core.database.transaction import Transaction, in_transaction
from messenger.core.identity import Identity
from messenger.core.outbox import record
from messenger.core.outgoing import Outgoing


class SessionStore:
    """Each method is atomic; events come back once they are committed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @in_transaction
    async def open(
        self,
        tx: Transaction,
        user_id: str,
        session: NewSession,
        device_name: str | None,
        rule: Callable[[LoginState], LoginVerdict],
    ) -> tuple[LoginVerdict, list[Outgoing]]:
        """Judge a login by `rule`; where that opens the session, store it and end its device's older one."""
        verdict = rule(await login_state(tx, user_id))
        if not verdict.opens:
            return verdict, []
        new_device = verdict is LoginVerdict.new_device
        return verdict, await open_session(tx, user_id, session, device_name, new_device=new_device)

    @in_transaction
    async def refresh(
        self, tx: Transaction, spending: Spending, rule: Callable[[SessionState], RefreshVerdict]
    ) -> Refreshed | None:
        """Do what `rule` decides; None where there is no such session or no such user."""
        row = await tx.row(
            """
            select s.refresh_hash, s.previous_hash, s.spent_at, s.expires_at, s.end_reason, now(),
                s.user_id, u.username, u.created_at, s.device_id, s.auth_time
            from auth.sessions s join auth.users u on u.user_id = s.user_id and u.deleted_at is null
            where s.session_id = %s for update of s
            """,
            (spending.session_id,),
        )
        if row is None:
            return None
        verdict = rule(SessionState(*row[:6]))
        user, device_id, auth_time = user_of(row[6:9]), row[9], row[10]
        events: list[Outgoing] = []
        if verdict is RefreshVerdict.spend:
            await _spend(tx, spending)
            await see_device(tx, user.user_id, device_id)
        elif verdict is RefreshVerdict.repeat:
            await tx.write(
                "update auth.sessions set token_until = now() + %s * interval '1 second'"
                " where session_id = %s",
                (spending.token_lifetime, spending.session_id),
            )
        elif verdict is RefreshVerdict.reused:
            events = await record(tx, await end_session(tx, EndReason.reused, spending.session_id))
        return Refreshed(verdict, user, device_id, auth_time, events)

    @in_transaction
    async def end(self, tx: Transaction, session_id: str) -> list[Outgoing]:
        """Log out."""
        return await record(tx, await end_session(tx, EndReason.logout, session_id))

    async def add_ticket(self, ticket_hash: bytes, identity: Identity, lifetime: float) -> bool:
        """Store a ticket; False where the bearer's session has ended."""
        rows = await self._database.write(
            """
            insert into auth.tickets
                (ticket_hash, user_id, device_id, session_id, auth_time, token_expires_at, expires_at)
            select %s, user_id, device_id, session_id, %s, %s, now() + %s * interval '1 second'
            from auth.sessions where session_id = %s and ended_at is null
            returning 1
            """,
            (ticket_hash, identity.auth_time, identity.expires_at, lifetime, identity.session_id),
        )
        return bool(rows)


async def _spend(tx: Transaction, spending: Spending) -> None:
    await tx.write(
        """
        update auth.sessions set previous_hash = %s, refresh_hash = %s, spent_at = now(),
            expires_at = now() + %s * interval '1 second', token_until = now() + %s * interval '1 second'
        where session_id = %s
        """,
        (
            spending.token_hash,
            spending.successor_hash,
            spending.lifetime,
            spending.token_lifetime,
            spending.session_id,
        ),
    )
