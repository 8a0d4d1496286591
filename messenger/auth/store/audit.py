"""The audit log: who did what to accounts, written in the transaction that does it."""

from messenger.core.database.connection import Row
from messenger.core.database.pool import Database
from messenger.core.database.transaction import Transaction


class Audit:
    """The log in `auth.audit`, as `actor` writes it."""

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
        self._actor = actor

    async def latest(self, limit: int) -> list[Row]:
        """The latest actions: when, who, what, on what."""
        return await self._database.read(
            "select at, actor, action, subject from auth.audit order by audit_id desc limit %s", (limit,)
        )

    async def note(self, tx: Transaction, action: str, subject: str) -> None:
        """Write an action down."""
        await tx.write(
            "insert into auth.audit (actor, action, subject) values (%s, %s, %s)",
            (self._actor, action, subject),
        )

    async def noted(self, tx: Transaction, action: str, subject: str, done: bool) -> bool:
        """`done`; where it is so, write the action down."""
        if done:
            await self.note(tx, action, subject)
        return done
