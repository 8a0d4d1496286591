"""The bus: what happened, to whoever must know, by NATS JetStream. The only module that knows nats-py.

News (`messenger.news.>`) goes through a stream and is heard by plain subscriptions: each instance gets every
event. The stream is made on start and again after every reconnect, since a wiped NATS comes back empty.
What may be lost (typing, presence) goes past the stream, below `messenger.live.>`.

PostgreSQL is the truth: an event may be lost or come twice, and `on_gap` tells when something may have been
missed (a reconnect, a slow consumer), so that its hearers look into PostgreSQL.

Pending events of a subscription are bounded (`PENDING_BYTES`); at the bound nats-py drops and `on_gap` is
called.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import DiscardPolicy, StorageType, StreamConfig
from nats.js.client import JetStreamContext
from twisted.logger import Logger

from messenger.core.lifecycle import StartError
from messenger.core.settings import Nats
from messenger.core.waits import from_asyncio, within

NEWS = "messenger.news"
LIVE = "messenger.live"
PENDING_BYTES = 32 * 1024 * 1024
PUBLISH_SECONDS = 5.0
STOP_SECONDS = 2.0
PATIENCE_SECONDS = 1.0
MAX_PAYLOAD = 900_000  # below the server's default of 1 MiB, headers included

log = Logger()

Listener = Callable[[str, bytes], object]
GapListener = Callable[[], object]


class BusAway(Exception):
    """NATS did not take the event; the outbox keeps it."""


class Bus:
    """A connection to NATS that comes back by itself.

    `name` shows in NATS' own monitoring. Publishing while NATS is away raises BusAway at once.
    """

    def __init__(self, reactor: Any, settings: Nats, name: str) -> None:
        self._reactor = reactor
        self._settings = settings
        self._name = name
        self._client: Client | None = None
        self._stream: JetStreamContext | None = None
        self._subjects: list[tuple[str, Listener]] = []
        self._gaps: list[GapListener] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._streams_made = False
        self.gaps = 0

    def on(self, subject: str, listener: Listener) -> None:
        """Call `listener(subject, payload)` for each event on `subject` (or wildcard); before `start`."""
        self._subjects.append((subject, listener))

    def on_gap(self, listener: GapListener) -> None:
        """Call `listener()` whenever events may have been missed; before `start`."""
        self._gaps.append(listener)

    @property
    def connected(self) -> bool:
        """Whether NATS is there and its streams are."""
        return self._client is not None and self._client.is_connected and self._streams_made

    async def check(self) -> None:
        """Raise BusAway unless NATS is there."""
        if not self.connected:
            raise BusAway("NATS is away")

    async def start(self) -> None:
        """Connect, make the streams and subscribe, within `settings.wait` seconds."""
        waiting = self._reactor.callLater(
            PATIENCE_SECONDS, log.warn, "waiting for NATS at {where}", where=self._where
        )
        try:
            await within(self._reactor, self._settings.wait, from_asyncio(self._connect()))
        except TimeoutError:
            raise StartError(f"NATS at {self._where} does not answer; see [nats]") from None
        except nats.errors.Error as error:
            raise StartError(f"NATS at {self._where}: {error}; see [nats]") from None
        except nats.js.errors.Error as error:  # pragma: no cover - a server without JetStream
            raise StartError(f"NATS at {self._where}: JetStream: {error}; see [nats]") from None
        finally:
            if waiting.active():
                waiting.cancel()

    @property
    def _where(self) -> str:
        # A URL may hold a password.
        return self._settings.url.rpartition("@")[2]

    async def _connect(self) -> None:
        client = await nats.connect(
            servers=[self._settings.url],
            user=self._settings.user or None,
            password=self._settings.password or None,
            name=self._name,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,
            connect_timeout=2,
            ping_interval=10,
            max_outstanding_pings=2,
            pending_size=8 * 1024 * 1024,
            allow_reconnect=True,
            error_cb=self._failed,
            disconnected_cb=self._went,
            reconnected_cb=self._came_back,
        )
        self._client = client
        self._stream = client.jetstream(timeout=PUBLISH_SECONDS)
        await self._make_streams()
        for subject, listener in self._subjects:
            await client.subscribe(
                subject, cb=_deliver(listener), pending_msgs_limit=-1, pending_bytes_limit=PENDING_BYTES
            )
        await client.flush(timeout=2)

    async def _make_streams(self) -> None:
        assert self._stream is not None
        config = StreamConfig(
            name="MESSENGER_NEWS",
            subjects=[f"{NEWS}.>"],
            max_age=3600.0,
            max_bytes=256 << 20,
            discard=DiscardPolicy.OLD,
            storage=StorageType.FILE,
            num_replicas=self._settings.replicas,
            duplicate_window=120.0,
        )
        try:
            await self._stream.add_stream(config)
        except nats.js.errors.BadRequestError:
            await self._stream.update_stream(config)
        self._streams_made = True

    async def _failed(self, error: Exception) -> None:
        if isinstance(error, nats.errors.SlowConsumerError):
            log.warn("NATS events were dropped: too many were pending")
            self._tell_gap()

    async def _went(self) -> None:
        self._streams_made = False
        if self._client is not None:
            log.warn("NATS is away")

    async def _came_back(self) -> None:
        try:
            await self._make_streams()
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            log.warn("NATS is back, its streams are not: {error}", error=str(error))
            task = asyncio.ensure_future(self._later())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        log.info("NATS is back")
        self._tell_gap()

    async def _later(self) -> None:
        await asyncio.sleep(0.5)
        if self._client is not None and self._client.is_connected:
            await self._came_back()

    def _tell_gap(self) -> None:
        self.gaps += 1
        for listener in self._gaps:
            listener()

    async def publish(self, subject: str, payload: bytes, event_id: str) -> None:
        """Return once JetStream has stored the event; BusAway if it did not (it may have, all the same).

        `subject` is the full one, below NEWS. `event_id` becomes `Nats-Msg-Id`: a second publish of
        it within two minutes is dropped.
        """
        if self._stream is None or not self.connected:
            raise BusAway("NATS is away")
        try:
            await from_asyncio(
                self._stream.publish(
                    subject, payload, headers={"Nats-Msg-Id": event_id}, timeout=PUBLISH_SECONDS
                )
            )
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            raise BusAway(str(error) or type(error).__name__) from None

    def tell(self, subject: str, payload: bytes) -> None:
        """Say on a subject below LIVE what may be lost, to all instances; nothing if NATS is away."""
        if self._client is None or not self._client.is_connected:
            return
        task = asyncio.ensure_future(self._client.publish(subject, payload))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        client, self._client, self._stream = self._client, None, None
        if client is not None:
            try:
                await within(self._reactor, STOP_SECONDS, from_asyncio(client.close()))
            except TimeoutError:
                log.warn("NATS did not let go in time")


def _deliver(listener: Listener) -> Callable[[Msg], Awaitable[None]]:
    async def deliver(message: Msg) -> None:
        try:
            listener(message.subject, message.data)
        except Exception:
            log.failure("an event on {subject} could not be handled", subject=message.subject)

    return deliver
