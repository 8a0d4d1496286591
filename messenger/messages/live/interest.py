"""This instance's interest in others' events: those of the shards of users who have sockets here.

A shard is wanted from its first socket on, and until the last has been gone for LINGER_SECONDS. What a new
socket follows is read once the others know (`known`), so that nothing falls in between.
"""

from typing import TYPE_CHECKING, Any

from messenger.messages.live.connection import Connection
from messenger.messages.live.hub import Hub
from messenger.wire.shards import shard_of

if TYPE_CHECKING:
    from messenger.core.bus.connection import Bus

LINGER_SECONDS = 60.0


class Interest:
    """A part of one instance."""

    def __init__(self, reactor: Any, hub: Hub, bus: "Bus") -> None:
        self._reactor = reactor
        self._bus = bus
        self._sockets: dict[int, int] = {}  # how many, by shard
        self._versions: dict[int, int] = {}  # of the bus, since which a shard is wanted
        self._lingering: dict[int, Any] = {}
        self._wanted = 0
        self._stopped = False
        hub.on_attached(self._came)
        hub.on_detached(self._went)
        bus.want(0)

    async def start(self) -> None:
        """Nothing to prepare."""

    async def stop(self) -> None:
        """Drop nothing any more."""
        self._stopped = True
        for call in self._lingering.values():
            call.cancel()
        self._lingering.clear()

    async def known(self, user_id: str) -> None:
        """Return once what happens to this user, who has a socket here, is heard here."""
        await self._bus.known(self._versions.get(shard_of(user_id), 0))

    def _came(self, connection: Connection) -> None:
        shard = shard_of(connection.user_id)
        self._sockets[shard] = self._sockets.get(shard, 0) + 1
        lingering = self._lingering.pop(shard, None)
        if lingering is not None:
            lingering.cancel()
        if shard not in self._versions:
            self._wanted |= 1 << shard
            self._versions[shard] = self._bus.want(self._wanted)

    def _went(self, connection: Connection) -> None:
        shard = shard_of(connection.user_id)
        self._sockets[shard] -= 1
        if not self._sockets[shard] and not self._stopped:
            del self._sockets[shard]
            self._lingering[shard] = self._reactor.callLater(LINGER_SECONDS, self._drop, shard)

    def _drop(self, shard: int) -> None:
        del self._lingering[shard], self._versions[shard]
        self._wanted &= ~(1 << shard)
        self._bus.want(self._wanted)
