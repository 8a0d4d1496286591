"""Blocks: who does not want to hear from whom."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from messenger.wire.errors import Code, Problem, not_found, too_many

if TYPE_CHECKING:
    from messenger.messages.store.blocks import BlockStore
    from messenger.messages.store.conversations import ConversationStore


class Blocks:
    """The rules of blocks, at most `most` by a user. `changed(one, other, stands)` hears whether a block
    stands between two users."""

    def __init__(
        self,
        store: "BlockStore",
        users: "ConversationStore",
        changed: Callable[[str, str, bool], object],
        most: int,
    ) -> None:
        self._store = store
        self._users = users
        self._changed = changed
        self._most = most

    async def of(self, user_id: str) -> list[str]:
        """Whom the user blocks, the earliest first."""
        return await self._store.of(user_id)

    async def block(self, user_id: str, other: str) -> None:
        """Block another user; the same again changes nothing."""
        if other == user_id:
            raise Problem(Code.unprocessable, "Nobody blocks themselves.")
        if await self._users.unknown([other]):
            raise not_found("There is no such user.")
        if await self._store.count(user_id) >= self._most and other not in await self._store.of(user_id):
            raise too_many("blocks", self._most, "blocked users")
        self._changed(user_id, other, await self._store.block(user_id, other))

    async def unblock(self, user_id: str, other: str) -> None:
        """Take a block away; none there is fine too."""
        self._changed(user_id, other, await self._store.unblock(user_id, other))
