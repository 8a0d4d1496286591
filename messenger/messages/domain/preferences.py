"""A user's preferences."""

from typing import TYPE_CHECKING

from messenger.wire.preferences import Preferences as Wishes

if TYPE_CHECKING:
    from messenger.messages.store.preferences import PreferenceStore


class Preferences:
    """A user's own wishes."""

    def __init__(self, store: "PreferenceStore") -> None:
        self._store = store

    async def of(self, user_id: str) -> Wishes:
        """The user's preferences, or the defaults for who has said nothing."""
        return Wishes(groups=await self._store.groups(user_id) or "anyone")

    async def put(self, user_id: str, wishes: Wishes) -> None:
        """From now on; who is in a group stays."""
        await self._store.put(user_id, wishes.groups)
