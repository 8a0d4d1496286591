"""Blocks in PostgreSQL."""

from messenger.core.database import Database
from messenger.messages.model import pair_of


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
        await self._database.write(
            "with b as (insert into message.blocks (blocker, blocked) values (%s, %s) on conflict do nothing)"
            " update message.conversations set blocked = true where pair = %s",
            (blocker, blocked, pair_of(blocker, blocked)),
        )

    async def unblock(self, blocker: str, blocked: str) -> None:
        """Take a block away; the other side's own, if there is one, stands."""
        await self._database.write(
            "with b as (delete from message.blocks where blocker = %(blocker)s and blocked = %(blocked)s)"
            " update message.conversations set blocked = exists ("
            "   select 1 from message.blocks where blocker = %(blocked)s and blocked = %(blocker)s"
            " ) where pair = %(pair)s",
            {"blocker": blocker, "blocked": blocked, "pair": pair_of(blocker, blocked)},
        )
