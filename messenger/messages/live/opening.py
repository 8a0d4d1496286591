"""What is read of a socket that opens: for all that open at the same time in one statement."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from messenger.messages.model import Membership
from messenger.messages.together import Together


class Places(Protocol):
    """What is wanted of the store about devices' places; see store.places.Places."""

    async def memberships(
        self, user_id: str, device_id: str, conversation_id: str | None = None
    ) -> list[Membership]: ...

    async def memberships_of(
        self, devices: Sequence[tuple[str, str]]
    ) -> Mapping[tuple[str, str], list[Membership]]: ...

    async def first_seq(self, user_id: str, conversation_id: str) -> int | None: ...


class Blocks(Protocol):
    """What is wanted of the store about blocks; see store.blocks.Blocks."""

    async def apart_of(self, user_ids: Sequence[str]) -> Mapping[str, list[str]]: ...


class Opening:
    """The places and blocks that sockets want to know of."""

    def __init__(self, reactor: Any, places: Places, blocks: Blocks) -> None:
        self._places = places
        self._memberships = Together(reactor, places.memberships_of)
        self._apart = Together(reactor, blocks.apart_of)

    async def memberships(
        self, user_id: str, device_id: str, conversation_id: str | None = None
    ) -> list[Membership]:
        """See store.places.Places.memberships."""
        if conversation_id is not None:
            return await self._places.memberships(user_id, device_id, conversation_id)
        return await self._memberships.of((user_id, device_id))

    async def first_seq(self, user_id: str, conversation_id: str) -> int | None:
        """See store.places.Places.first_seq."""
        return await self._places.first_seq(user_id, conversation_id)

    async def apart(self, user_id: str) -> list[str]:
        """Between whom and the user a block stands, whoever set it."""
        return await self._apart.of(user_id)
