"""What a user wishes of the server."""

from typing import Protocol

from messenger.wire.preferences import Groups
from messenger.wire.preferences import Preferences as Wishes


class Store(Protocol):
    """What is wanted of the store; see store.preferences.Preferences."""

    async def groups(self, user_id: str) -> Groups | None: ...
    async def put(self, user_id: str, groups: Groups) -> None: ...


class Preferences:
    """A user's own wishes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, user_id: str) -> Wishes:
        """What the user has said, or what holds for who has said nothing."""
        return Wishes(groups=await self._store.groups(user_id) or "anyone")

    async def put(self, user_id: str, wishes: Wishes) -> None:
        """From now on; who is in a group stays."""
        await self._store.put(user_id, wishes.groups)
