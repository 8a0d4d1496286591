"""Between which users of open sockets a block stands: nothing of the one is told to the other.

A socket that opens reads its user's blocks. What changes after that is told to all instances; who missed it
finds new blocks in PostgreSQL within seconds.
"""

from typing import TYPE_CHECKING, Any

from messenger.core.bus.connection import Bus
from messenger.core.periodic import Periodic
from messenger.messages.live.hub import Hub
from messenger.wire import events
from messenger.wire.codec import Decoder, encode

if TYPE_CHECKING:
    from messenger.messages.store.blocks import BlockStore

LOOK_SECONDS = 5.0
LATEST_SECONDS = 30.0  # a block shows by then: longer than its transaction may take

_event = Decoder[events.BlockChanged](events.BlockChanged)


class LiveBlocks:
    """A part of one instance."""

    def __init__(self, reactor: Any, hub: Hub, store: "BlockStore", bus: Bus) -> None:
        self._hub = hub
        self._store = store
        self._bus = bus
        self._looking = Periodic(reactor, LOOK_SECONDS, "looking for new blocks", self._look)
        bus.on(events.BLOCK, self._hear)

    async def start(self) -> None:
        await self._looking.start()

    async def stop(self) -> None:
        await self._looking.stop()

    def changed(self, one: str, other: str, stands: bool) -> None:
        """A block between the two was set or taken away by this instance."""
        self._set(one, other, stands)
        self._bus.tell(events.BLOCK, encode(events.BlockChanged(one=one, other=other, stands=stands)))

    def _hear(self, _subject: str, payload: bytes) -> None:
        event = _event.decode(payload)
        self._set(event.one, event.other, event.stands)

    async def _look(self) -> None:
        if not self._hub.sockets:
            return  # nobody to tell it
        for one, other in await self._store.latest(LATEST_SECONDS):
            self._set(one, other, True)

    def _set(self, one: str, other: str, stands: bool) -> None:
        for user_id, peer_id in ((one, other), (other, one)):
            for connection in self._hub.sockets_of(user_id):
                apart = connection.apart - {peer_id}
                connection.apart = apart | {peer_id} if stands else apart
