"""Invites in PostgreSQL, as an administrator makes and revokes them."""

from messenger.auth.store.audit import Audit
from messenger.core.database.connection import Row
from messenger.core.database.pool import Database
from messenger.core.database.transaction import Transaction, in_transaction

# An invite is known by the first half of its hash: long enough to be one, and of no use to register.
_INVITE_NAME = "left(encode(invite_hash, 'hex'), 16)"


class InviteStore:
    """Each change is noted in `audit`."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    @in_transaction
    async def add(self, tx: Transaction, invite_hash: bytes, uses: int, lifetime: float) -> str:
        """Store an invite; the id that it goes by from now on."""
        await tx.write(
            "insert into auth.invites (invite_hash, uses_left, expires_at)"
            " values (%s, %s, now() + %s * interval '1 second')",
            (invite_hash, uses, lifetime),
        )
        name = invite_hash.hex()[:16]
        await self._audit.note(tx, "invites make", name)
        return name

    async def latest(self, limit: int) -> list[Row]:
        """Each invite's id, uses left, creation, expiry and state, latest first."""
        return await self._database.read(
            f"select {_INVITE_NAME}, uses_left, created_at, expires_at,"  # noqa: S608 - our own words
            " case when uses_left = 0 then 'used up' when expires_at <= now() then 'expired' else 'good' end"
            " from auth.invites order by created_at desc limit %s",
            (limit,),
        )

    @in_transaction
    async def revoke(self, tx: Transaction, name: str) -> bool:
        """Whether there was such an invite."""
        sql = f"delete from auth.invites where {_INVITE_NAME} = %s"  # noqa: S608 - our own words
        return await self._audit.noted(tx, "invites revoke", name, bool(await tx.write(sql, (name,))))
