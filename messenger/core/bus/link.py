"""Being connected to one of several servers of NATS, which one does not matter.

Who was at a server that ends, hangs or is cut off is at another within a second, if there is one; where there
is only one, it is waited for. What was published and not acknowledged is published again there, and once
servers know of each other's new subscriptions, hearers are told that they may have missed something.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.logger import Logger

from messenger.core.bus.publishing import ID, Publisher
from messenger.core.bus.servers import CONNECT_SECONDS, GONE, Servers, deaf, hang_up, here
from messenger.core.bus.watch import Watch
from messenger.core.lean import without
from messenger.core.settings import Nats

with without("aiohttp"):  # for NATS over WebSocket; 8 MB where it happens to be installed
    import nats.errors
    from nats.aio.client import Client

PUBLISH_SECONDS = 5.0
AWAY_SECONDS = 2.0  # without a server until NATS counts as away: to go to another one takes less
SETTLE_SECONDS = 0.1  # until servers know of each other's new subscriptions

log = Logger()


class Link:
    """The connection `client`, which comes back by itself. `clock` gives seconds.

    `changed()` is called when it is lost, when it does not answer, and when there is another, `gap()` when
    something may have been missed; `headers(subject)` gives what an event bears besides its id, `others()`
    whether there are other instances to hear.
    """

    def __init__(
        self,
        settings: Nats,
        name: str,
        clock: Callable[[], float],
        changed: Callable[[], object],
        gap: Callable[[], object],
        headers: Callable[[str], dict[str, str]],
        others: Callable[[], bool],
    ) -> None:
        self.client = Client()
        self.servers = Servers(self.client, settings.urls)
        self.watch = Watch(self.client, self._answered, lambda: others() or self.servers.several)
        self.publisher = Publisher(self.client, PUBLISH_SECONDS, headers)
        self._settings = settings
        self._name = name
        self._clock = clock
        self._changed = changed
        self._gap = gap
        self._headers = headers
        self._at = ""
        self._down_at = float("-inf")
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def up(self) -> bool:
        """Whether hearers are heard: we are at a server, and it answers."""
        return bool(self._at) and self.client.is_connected and self.watch.answers

    @property
    def lately_up(self) -> bool:
        """Whether it is up, or was a moment ago."""
        return self.up or self._clock() - self._down_at < AWAY_SECONDS

    async def connect(self) -> None:
        """Return once some server has let us in; nats.errors.Error where one refuses for good."""
        await self.client.connect(
            servers=self._settings.urls,
            user=self._settings.user or None,
            password=self._settings.password or None,
            name=self._name,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,  # type: ignore[arg-type]
            reconnect_to_server_handler=self.servers.choose,
            connect_timeout=CONNECT_SECONDS,  # type: ignore[arg-type]
            ping_interval=10,
            max_outstanding_pings=2,
            pending_size=8 * 1024 * 1024,
            allow_reconnect=True,
            error_cb=self._failed,
            disconnected_cb=self._went,
            reconnected_cb=self._came,
        )
        self._at = here(self.client)
        self._down_at = float("inf")
        await self.publisher.start()
        self.keep(self.watch.run())

    def keep(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run this until it ends, or the connection is closed for good."""
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def move(self, wanted: str = "") -> None:
        """Go to another server, to the one named `wanted` if it lets us in."""
        self.servers.want(wanted)
        self.keep(hang_up(self.client))

    def say(self, subject: str, payload: bytes, event_id: str | None = None) -> None:
        """Publish what may be lost; with the id of an event that is published for good later."""
        if self.up:  # one that does not answer would gather what it is told
            self.watch.said()
            self.keep(self._say(subject, payload, {} if event_id is None else {ID: event_id}))

    async def _say(self, subject: str, payload: bytes, headers: dict[str, str]) -> None:
        headers.update(self._headers(subject))
        try:
            await self.client.publish(subject, payload, headers=headers or None)
        except GONE as error:
            log.debug("NATS was not told: {error}", error=str(error))

    async def publish(self, subject: str, payload: bytes, event_id: str) -> None:
        """Return once JetStream has stored it; Unstored where it did not."""
        self.watch.said()
        await self.publisher.publish(subject, payload, event_id)

    def publish_again(self) -> None:
        """Publish what is not acknowledged once more."""
        self.keep(self._publish_again())

    async def _publish_again(self) -> None:
        try:
            await self.publisher.again()
        except GONE as error:
            log.debug("NATS went before it had all events: {error}", error=str(error))

    def _answered(self, answers: bool) -> None:
        log.warn("NATS answers again" if answers else "NATS does not answer")
        if answers:
            if self.client.is_connected:
                self._down_at = float("inf")
            self._gap()
            return
        self._down_at = min(self._down_at, self._clock())
        self._changed()
        if self.servers.several or deaf(self.client):
            self.move()

    async def _failed(self, error: Exception) -> None:
        if isinstance(error, nats.errors.SlowConsumerError):
            log.warn("NATS events were dropped: too many were pending")
            self._gap()

    async def _went(self) -> None:
        if not self._at:
            return  # it has not been there yet, or is let go
        self._down_at = min(self._down_at, self._clock())
        self.watch.forget()
        self.servers.leave(self._at)
        log.warn("NATS at {at} is gone", at=self._at)
        self._changed()

    async def _came(self) -> None:
        if not self._at:
            return  # it is let go
        self.watch.begin()
        self.servers.arrive()
        self._at = here(self.client)
        if self.watch.answers:
            self._down_at = float("inf")
        log.info("NATS is back, at {at}", at=self._at)
        self.publish_again()
        self._changed()
        self.keep(self._settle())

    async def _settle(self) -> None:
        await asyncio.sleep(max(SETTLE_SECONDS, self.watch.patience.smoothed))
        self._gap()

    async def close(self) -> None:
        """Let go for good."""
        self._at = ""
        for task in list(self._tasks):
            task.cancel()
        self.watch.forget()
        await self.client.close()
