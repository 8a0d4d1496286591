"""The bus: what happened, to whoever must know, by NATS JetStream. The only module that knows nats-py.

News (`messenger.news.>`) goes through a stream and is heard by plain subscriptions: each instance gets every
event. The stream is made on start and again after every reconnect, since a wiped NATS comes back empty.
What may be lost (typing, presence) goes past the stream, below `messenger.live.>`.

Work (`messenger.work.>`) goes through a stream of its own and durable pull consumers, one for each service:
each piece is taken by one of the service's instances, and comes again until one has done it (core/work.py).

PostgreSQL is the truth: an event may be lost or come twice, and `on_gap` tells when something may have been
missed (a reconnect, a slow consumer), so that its hearers look into PostgreSQL.

Pending events of a subscription are bounded (`PENDING_BYTES`); at the bound nats-py drops and `on_gap` is
called.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from twisted.logger import Logger

from messenger.core.lean import without
from messenger.core.lifecycle import StartError
from messenger.core.settings import Nats
from messenger.core.waits import from_asyncio, within

with without("aiohttp"):  # for NATS over WebSocket; 8 MB where it happens to be installed
    import nats
    import nats.errors
    import nats.js.errors
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, StorageType, StreamConfig
    from nats.js.client import JetStreamContext

NEWS = "messenger.news"
WORK = "messenger.work"
LIVE = "messenger.live"
PENDING_BYTES = 32 * 1024 * 1024
PUBLISH_SECONDS = 5.0
STOP_SECONDS = 2.0
PATIENCE_SECONDS = 1.0
PROBE_SECONDS = 0.5
UNBOUNDED_SECONDS = 86_400
TAKE_SECONDS = 4.0
ACK_SECONDS = 30.0
MAX_PAYLOAD = 900_000  # below the server's default of 1 MiB, headers included

log = Logger()

Listener = Callable[[str, bytes], object]
GapListener = Callable[[], object]


class BusAway(Exception):
    """NATS did not take the event; the outbox keeps it."""


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work that this instance has ACK_SECONDS to do. `tries` is 1 the first time it is given."""

    payload: bytes
    tries: int
    message: Msg

    async def done(self) -> None:
        """It is done: nobody gets it again. Never raises; where this is lost, it comes again all the same."""
        await self._answer(self.message.ack())

    async def again(self, delay: float) -> None:
        """It was not done: somebody gets it again after `delay` seconds. Never raises, either."""
        await self._answer(self.message.nak(delay=delay))

    async def _answer(self, answer: Coroutine[Any, Any, None]) -> None:
        try:
            await from_asyncio(answer)
        except nats.errors.Error as error:
            log.debug("NATS did not hear how a piece of work went: {error}", error=str(error))


@dataclass(frozen=True, slots=True)
class Server:
    """What NATS says of itself; the payload in bytes."""

    version: str
    max_payload: int


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
        self._answers = True
        self._asked: asyncio.Future[None] | None = None
        self._pulls: dict[str, JetStreamContext.PullSubscription] = {}
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
        return self._client is not None and self._client.is_connected and self._streams_made and self._answers

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
            reconnected_cb=self._reconnected,
        )
        self._client = client
        self._stream = client.jetstream(timeout=PUBLISH_SECONDS)
        await self._make_streams()
        for subject, listener in self._subjects:
            await client.subscribe(
                subject, cb=_deliver(listener), pending_msgs_limit=-1, pending_bytes_limit=PENDING_BYTES
            )
        await client.flush(timeout=2)
        self._keep(self._probe(client))

    def _keep(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _probe(self, client: Client) -> None:
        """Ask NATS twice a second whether it is there: its own pings take half a minute to tell a hang.

        A question is never taken back while the connection lasts: nats-py goes deaf when the answer to one
        that was cancelled arrives after all.
        """
        while not client.is_closed:
            answers = True  # a lost connection is told of elsewhere
            if client.is_connected:
                if self._asked is None:
                    self._asked = asyncio.ensure_future(client.flush(timeout=UNBOUNDED_SECONDS))
                asked = self._asked
                await asyncio.wait({asked}, timeout=PROBE_SECONDS)
                answers = asked.done()
                if answers and self._asked is asked:
                    self._asked = None
                    if not asked.cancelled() and asked.exception() is not None:
                        log.debug("NATS was asked in vain: {error}", error=str(asked.exception()))
            if answers != self._answers:
                self._answers = answers
                log.warn("NATS answers again" if answers else "NATS does not answer")
                if answers:
                    self._tell_gap()
            await asyncio.sleep(PROBE_SECONDS)

    def _forget_question(self) -> None:
        """The connection that was asked is gone, and with it the answer."""
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.cancel()

    async def _make_streams(self) -> None:
        assert self._stream is not None
        for config in (
            self._stream_config("MESSENGER_NEWS", NEWS, age=3600.0, most=256 << 20),
            self._stream_config("MESSENGER_WORK", WORK, age=7 * 86_400.0, most=64 << 20),
        ):
            try:
                await self._stream.add_stream(config)
            except nats.js.errors.BadRequestError:
                await self._stream.update_stream(config)
        self._streams_made = True

    def _stream_config(self, name: str, prefix: str, age: float, most: int) -> StreamConfig:
        return StreamConfig(
            name=name,
            subjects=[f"{prefix}.>"],
            max_age=age,
            max_bytes=most,
            discard=DiscardPolicy.OLD,
            storage=StorageType.FILE,
            num_replicas=self._settings.replicas,
            duplicate_window=120.0,
        )

    async def _failed(self, error: Exception) -> None:
        if isinstance(error, nats.errors.SlowConsumerError):
            log.warn("NATS events were dropped: too many were pending")
            self._tell_gap()

    async def _went(self) -> None:
        self._streams_made = False
        if self._client is not None:
            log.warn("NATS is away")

    async def _reconnected(self) -> None:
        self._forget_question()
        await self._came_back()

    async def _came_back(self) -> None:
        try:
            await self._make_streams()
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            log.warn("NATS is back, its streams are not: {error}", error=str(error))
            self._keep(self._later())
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

        `subject` is the full one, below NEWS or WORK. `event_id` becomes `Nats-Msg-Id`: a second publish of
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
        if self._client is None or not self.connected:
            return  # one that does not answer would gather what it is told
        self._keep(self._client.publish(subject, payload))

    async def take(self, durable: str, subject: str) -> Job | None:
        """The next piece of work on `subject` (below WORK) for all who ask by the name `durable`; None where
        there is none for TAKE_SECONDS. BusAway where NATS is away, or not able."""
        if not self.connected:
            raise BusAway("NATS is away")
        try:
            return await from_asyncio(self._take(durable, subject))
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            raise BusAway(str(error) or type(error).__name__) from None

    async def _take(self, durable: str, subject: str) -> Job | None:
        assert self._stream is not None
        assert self._client is not None
        pull = self._pulls.get(durable)
        if pull is None:
            await self._make_consumer(durable, subject)
            pull = await self._stream.pull_subscribe_bind(consumer=durable, stream="MESSENGER_WORK")
            self._pulls[durable] = pull
        try:
            (message,) = await pull.fetch(1, timeout=TAKE_SECONDS)
        except TimeoutError:
            # Nothing to do, or nobody to ask: a wiped NATS has lost the consumer.
            await self._make_consumer(durable, subject)
            return None
        return Job(message.data, message.metadata.num_delivered, message)

    async def _make_consumer(self, durable: str, subject: str) -> None:
        assert self._stream is not None
        config = ConsumerConfig(
            durable_name=durable,
            filter_subject=subject,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_SECONDS,
            max_ack_pending=100,
        )
        await self._stream.add_consumer("MESSENGER_WORK", config)

    async def describe(self) -> Server:
        """What NATS says of itself, once JetStream has answered; BusAway where it does not."""
        if self._client is None or self._stream is None:
            raise BusAway("NATS is away")
        try:
            await from_asyncio(self._stream.account_info())
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            raise BusAway(str(error) or type(error).__name__) from None
        version = str(self._client.connected_server_version).strip("<>").rpartition(" v")[2]
        return Server(version, self._client.max_payload)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        client, self._client, self._stream = self._client, None, None
        if client is not None:
            try:
                await within(self._reactor, STOP_SECONDS, from_asyncio(client.close()))
            except TimeoutError:
                log.warn("NATS did not let go in time")
        self._forget_question()


def _deliver(listener: Listener) -> Callable[[Msg], Awaitable[None]]:
    async def deliver(message: Msg) -> None:
        try:
            listener(message.subject, message.data)
        except Exception:
            log.failure("an event on {subject} could not be handled", subject=message.subject)

    return deliver
