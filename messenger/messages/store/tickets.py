"""Tickets that open a WebSocket: made by auth, redeemed here by a function that auth grants."""

from hashlib import sha256

from messenger.core.database.pool import Database
from messenger.core.identity import Identity

MAX_TICKET = 512


class TicketStore:
    """Statements about tickets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def redeem(self, ticket: str) -> Identity | None:
        """The identity that asked for the ticket, once; None where it is spent, expired or none of ours."""
        if len(ticket) > MAX_TICKET:
            return None
        rows = await self._database.write(
            "select user_id, device_id, session_id, auth_time, expires_at from auth.redeem_ticket(%s)",
            (sha256(ticket.encode("utf-8", "surrogateescape")).digest(),),
        )
        return Identity(*rows[0]) if rows else None
