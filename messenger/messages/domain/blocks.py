"""Blocks: who does not want to hear from whom."""

from typing import Protocol

from messenger.wire.errors import Code, Problem, not_found


class Store(Protocol):
    """What is wanted of the stores."""

    async def of(self, user_id: str) -> list[str]: ...
    async def block(self, blocker: str, blocked: str) -> None: ...
    async def unblock(self, blocker: str, blocked: str) -> None: ...


class Users(Protocol):
    """What is wanted to be known of users."""

    async def unknown(self, user_ids: list[str]) -> list[str]: ...


class Blocks:
    """The rules of blocks."""

    def __init__(self, store: Store, users: Users) -> None:
        self._store = store
        self._users = users

    async def of(self, user_id: str) -> list[str]:
        """Whom the user blocks, the earliest first."""
        return await self._store.of(user_id)

    async def block(self, user_id: str, other: str) -> None:
        """Block another user; the same again changes nothing."""
        if other == user_id:
            raise Problem(Code.unprocessable, "Nobody blocks themselves.")
        if await self._users.unknown([other]):
            raise not_found("There is no such user.")
        await self._store.block(user_id, other)

    async def unblock(self, user_id: str, other: str) -> None:
        """Take a block away; none there is fine too."""
        await self._store.unblock(user_id, other)
