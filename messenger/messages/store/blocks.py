"""Blocks in PostgreSQL."""

from collections.abc import Sequence

from messenger.core.database.pool import Database
from messenger.core.database.transaction import Transaction, in_transaction
from messenger.messages.model import pair_of
from messenger.messages.store import changing


class BlockStore:
    """Statements about blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, user_id: str) -> list[str]:
        """Whom the user blocks, the earliest first."""
        rows = await self._database.read(
            "select blocked from message.blocks where blocker = %s order by created_at", (user_id,)
        )
        return [row[0] for row in rows]

    async def count(self, user_id: str) -> int:
        """How many the user blocks."""
        rows = await self._database.read("select count(*) from message.blocks where blocker = %s", (user_id,))
        return int(rows[0][0])

    async def apart_of(self, user_ids: Sequence[str]) -> dict[str, list[str]]:
        """Between whom and each of the users a block stands, whoever set it."""
        found: dict[str, list[str]] = {user_id: [] for user_id in user_ids}
        for user_id, other in await self._database.read(
            "select blocker, blocked from message.blocks where blocker = any(%(users)s::uuid[])"
            " union select blocked, blocker from message.blocked_by where blocked = any(%(users)s::uuid[])",
            {"users": list(user_ids)},
        ):
            found[user_id].append(other)
        return found

    async def latest(self, seconds: float) -> list[tuple[str, str]]:
        """(blocker, blocked) of the blocks that were set in the last `seconds`."""
        rows = await self._database.read(
            "select blocker, blocked from message.blocked_by"
            " where created_at > now() - make_interval(secs => %s)",
            (seconds,),
        )
        return [(row[0], row[1]) for row in rows]

    async def block(self, blocker: str, blocked: str) -> bool:
        """Let a block stand, which shuts the pair's direct conversation; gives whether one stands: yes."""
        return await self._change(
            blocker,
            blocked,
            "insert into message.blocks (blocker, blocked) values (%s, %s) on conflict do nothing",
        )

    async def unblock(self, blocker: str, blocked: str) -> bool:
        """Take a block away; gives whether one stands still, for the other side may have its own."""
        return await self._change(
            blocker, blocked, "delete from message.blocks where blocker = %s and blocked = %s"
        )

    @in_transaction
    async def _change(self, tx: Transaction, blocker: str, blocked: str, sql: str) -> bool:
        pair = pair_of(blocker, blocked)
        await changing.lock_pair(tx, pair)
        await tx.write(sql, (blocker, blocked))
        row = await tx.row(
            "select exists (select 1 from message.blocks"
            "   where (blocker, blocked) in ((%(one)s, %(two)s), (%(two)s, %(one)s)))",
            {"one": blocker, "two": blocked},
        )
        stands = row is not None and bool(row[0])
        await tx.write("update message.conversations set blocked = %s where pair = %s", (stands, pair))
        return stands
