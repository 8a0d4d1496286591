"""Blocks in PostgreSQL."""

from messenger.core.database import Database, Transaction
from messenger.messages.model import pair_of
from messenger.messages.store import changing


class Blocks:
    """Statements about blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, user_id: str) -> list[str]:
        """Whom the user blocks, the earliest first."""
        rows = await self._database.read(
            "select blocked from message.blocks where blocker = %s order by created_at", (user_id,)
        )
        return [row[0] for row in rows]

    async def block(self, blocker: str, blocked: str) -> None:
        """Let a block stand; the pair's direct conversation is shut by it."""
        await self._change(
            blocker,
            blocked,
            "insert into message.blocks (blocker, blocked) values (%s, %s) on conflict do nothing",
        )

    async def unblock(self, blocker: str, blocked: str) -> None:
        """Take a block away; the other side's own, if there is one, stands."""
        await self._change(blocker, blocked, "delete from message.blocks where blocker = %s and blocked = %s")

    async def _change(self, blocker: str, blocked: str, sql: str) -> None:
        pair = pair_of(blocker, blocked)

        async def body(transaction: Transaction) -> None:
            await changing.lock_pair(transaction, pair)
            await transaction.write(sql, (blocker, blocked))
            await transaction.write(
                "update message.conversations set blocked = exists (select 1 from message.blocks"
                "   where (blocker, blocked) in ((%(one)s, %(two)s), (%(two)s, %(one)s)))"
                " where pair = %(pair)s",
                {"one": blocker, "two": blocked, "pair": pair},
            )

        await self._database.transaction(body)
