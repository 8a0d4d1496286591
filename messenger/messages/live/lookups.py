"""Lookups for sockets that open: for all that open at the same time in one statement."""

from typing import TYPE_CHECKING, Any

from messenger.messages.batch_loader import BatchLoader
from messenger.messages.model import Membership

if TYPE_CHECKING:
    from messenger.messages.store.blocks import BlockStore
    from messenger.messages.store.cursors import CursorStore


class Lookups:
    """The cursors and blocks that sockets want to know of."""

    def __init__(self, reactor: Any, cursors: "CursorStore", blocks: "BlockStore") -> None:
        self._cursors = cursors
        self._memberships = BatchLoader(reactor, cursors.memberships_of)
        self._apart = BatchLoader(reactor, blocks.apart_of)

    async def memberships(
        self, user_id: str, device_id: str, conversation_id: str | None = None
    ) -> list[Membership]:
        """See store.cursors.CursorStore.memberships."""
        if conversation_id is not None:
            return await self._cursors.memberships(user_id, device_id, conversation_id)
        return await self._memberships.load((user_id, device_id))

    async def first_seq(self, user_id: str, conversation_id: str) -> int | None:
        """See store.cursors.CursorStore.first_seq."""
        return await self._cursors.first_seq(user_id, conversation_id)

    async def apart(self, user_id: str) -> list[str]:
        """Between whom and the user a block stands, whoever set it."""
        return await self._apart.load(user_id)
