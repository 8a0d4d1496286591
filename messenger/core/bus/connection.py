"""The bus: what happened, to whoever must know, by NATS JetStream.

News (`messenger.news.>`) goes through a stream and is heard by plain subscriptions: each instance gets every
event, at once, also while the stream has no leader (publishing.py). The stream is made on start and again
after every reconnect, since a wiped NATS comes back empty. What may be lost (typing, presence) goes past the
stream, below `messenger.live.>`.

Work (`messenger.work.>`) goes through a stream of its own and durable pull consumers, one for each service:
each piece is taken by one of the service's instances, and comes again until one has done it (core/work.py).

PostgreSQL is the truth: an event may be lost or come twice, and `on_gap` tells when something may have been
missed (a reconnect, a slow consumer, a number that is missing: origins.py), so that its hearers look into
PostgreSQL.

Of several servers that hold a cluster together any one may be gone: who was at it is at another within a
second (link.py), and publishes there what was not acknowledged. Where a majority of them is gone
nothing is stored (quorum.py), and hearers still hear each other.

Where events go unanswered by a NATS that answers otherwise, its streams are looked at, and made anew where
they take nothing any more (stream_room.py). What was in them costs seconds (PostgreSQL is the truth).

Pending events of a subscription are bounded (`PENDING_BYTES`); at the bound nats-py drops and `on_gap` is
called.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from twisted.logger import Logger

from messenger.core.bus.jobs import Job, Jobs
from messenger.core.bus.link import Link
from messenger.core.bus.numbering import Numbering
from messenger.core.bus.publishing import Unstored
from messenger.core.bus.quorum import Quorum
from messenger.core.bus.servers import GONE
from messenger.core.bus.stream_room import StreamRoom
from messenger.core.bus.streams import Streams
from messenger.core.lean import without
from messenger.core.lifecycle import StartError
from messenger.core.room import Room
from messenger.core.settings import Nats
from messenger.core.waits import from_asyncio, within

with without("aiohttp"):  # for NATS over WebSocket; 8 MB where it happens to be installed
    import nats.errors
    import nats.js.errors
    from nats.aio.msg import Msg

LIVE = "messenger.live"
PENDING_BYTES = 32 * 1024 * 1024
REQUEST_SECONDS = 3.0
STOP_SECONDS = 2.0
PATIENCE_SECONDS = 1.0
MAX_PAYLOAD = 900_000  # below the server's default of 1 MiB, headers included
UNSTORED = "ready, but events are not stored"


log = Logger()

T = TypeVar("T")

Listener = Callable[[str, bytes], object]
GapListener = Callable[[], object]
AwayListener = Callable[[], object]


class BusAway(Exception):
    """NATS did not take the event; the outbox keeps it."""


@dataclass(frozen=True, slots=True)
class Server:
    """A NATS server, as it describes itself; the payload in bytes."""

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
        self._link: Link | None = None
        self._subjects: list[tuple[str, Listener]] = []
        self._gaps: list[GapListener] = []
        self._numbering = Numbering(reactor, self.doubt)
        self._aways: list[AwayListener] = []
        self._was_connected = True
        self.room = Room(reactor.seconds, "NATS")
        self.gaps = 0

    def on(self, subject: str, listener: Listener, *, own: bool = False) -> None:
        """Call `listener(subject, payload)` for each event on `subject` (or wildcard); before `start`. With
        `own`, also for those that others send to this instance alone (`split`)."""
        self._subjects += [(one, listener) for one in self._numbering.on(subject, own)]

    def want(self, shards: int) -> int:
        """Hear what concerns users of these shards (wire/shards.py), and no others. Gives a version, which
        `known` takes. Before `start`, and ever after; who never says so hears nothing of `own` alone."""
        return self._numbering.want(shards)

    async def known(self, version: int) -> None:
        """Return once the other instances know of what was wanted with this version, so that what happens
        from now on is heard. What one tells that takes too long counts as missed (`on_gap`)."""
        await self._numbering.known(self._link, version)

    def split(
        self, subject: str, items: Sequence[T], concerns: Callable[[T], int | None]
    ) -> list[tuple[str, list[T]]]:
        """Where to publish what, so that all hear of `items` who want it and hear `subject` by `on(own)`:
        subjects, each with what goes there. An item `concerns` a set of shards; None: all."""
        return self._numbering.routes.split(subject, items, concerns)

    def on_gap(self, listener: GapListener) -> None:
        """Call `listener()` whenever events may have been missed; before `start`."""
        self._gaps.append(listener)

    def on_away(self, listener: AwayListener) -> None:
        """Call `listener()` when `connected` is no longer so; before `start`."""
        self._aways.append(listener)

    @property
    def connected(self) -> bool:
        """Whether NATS is there, its streams are, and it stores what it is given."""
        return self._there() and not self.room.full

    @property
    def taking(self) -> bool:
        """Whether to publish has a point: it is connected, or was a moment ago and goes to another server."""
        link = self._link
        if link is None or self.room.full:
            return False
        return self._quorum.answers if link.up else link.lately_up

    def _there(self) -> bool:
        return self._link is not None and self._link.up and self._quorum.answers

    async def check(self) -> str | None:
        """Raise BusAway unless NATS is there, DiskFull where it is and stores nothing for lack of room; gives
        a few words where it can't store for another reason, for which nobody has to wait."""
        if self._link is None or not self._link.lately_up:
            raise BusAway("NATS is away")
        if self.room.full:
            raise self.room.problem()
        return UNSTORED if self._link.up and not self._quorum.answers else None

    async def start(self) -> None:
        """Connect and subscribe, within `settings.wait` seconds, and make the streams where that can be done:
        a cluster without a majority is told of, and asked on."""
        waiting = self._reactor.callLater(
            PATIENCE_SECONDS, log.warn, "waiting for NATS at {where}", where=self._where
        )
        try:
            await within(self._reactor, self._settings.wait, from_asyncio(self._connect()))
        except TimeoutError:
            await self.stop()
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
        return ", ".join(url.rpartition("@")[2] for url in self._settings.urls)

    async def _connect(self) -> None:
        link = Link(
            self._settings,
            self._name,
            self._reactor.seconds,
            self._changed,
            self.doubt,
            self._numbering.headers,
            self._numbering.others,
        )
        jetstream = link.client.jetstream(timeout=REQUEST_SECONDS)
        self._streams = Streams(jetstream, self._settings.replicas)
        self._quorum = Quorum(link, self._settings, self._streams, self._stored)
        self._jobs = Jobs(jetstream)
        self._stream_room = StreamRoom(
            link, self._streams, self._jobs, self.room, self._there, self._tell_away, self.doubt
        )
        self._jetstream = jetstream
        self._link = link
        await link.connect()
        for subject, listener in self._subjects:
            await link.client.subscribe(
                subject, cb=self._deliver(listener), pending_msgs_limit=-1, pending_bytes_limit=PENDING_BYTES
            )
        for subject in self._numbering.control:
            await link.client.subscribe(subject, cb=self._hear_others)
        await link.client.flush(timeout=2)
        await self._quorum.start()
        link.keep(self._numbering.run(link))

    def _changed(self) -> None:
        """Another server, or none, or one that does not answer: who knows what is there."""
        self._quorum.forget()
        self._numbering.soon()
        self._tell_away()

    def _stored(self, answers: bool) -> None:
        """The streams answer again, or do not any more."""
        self._tell_away()
        assert self._link is not None
        if not answers:
            if self._link.up:
                log.warn("NATS stores no events: its streams have no leader, or are not there")
            return
        log.info("NATS stores events")
        self._link.publish_again()
        if self.room.full:
            self._stream_room.look()

    def _tell_away(self) -> None:
        went, self._was_connected = self._was_connected and not self.connected, self.connected
        if went:
            for listener in self._aways:
                listener()

    def doubt(self) -> None:
        """Say that what was heard may not hold any more: its hearers look into PostgreSQL, as after a gap."""
        self.gaps += 1
        for listener in self._gaps:
            listener()

    async def publish(self, subject: str, payload: bytes, event_id: str) -> None:
        """Return once JetStream has stored the event; BusAway if it did not (it may have, all the same).

        Hearers have it before that. `subject` is the full one, below NEWS or WORK. `event_id` becomes
        `Nats-Msg-Id`: a second publish of it within two minutes is dropped.
        """
        if self._link is None or not self.taking:
            raise BusAway("NATS is away")
        try:
            await from_asyncio(self._link.publish(subject, payload, event_id))
        except Unstored as error:
            self._quorum.doubt()
            if error.unexplained:
                self._stream_room.look()
            raise BusAway(str(error)) from None

    def tell(self, subject: str, payload: bytes, event_id: str | None = None) -> None:
        """Say what may be lost to all instances that are there; nothing if NATS is away. By its `event_id` a
        stream knows an event that is published for good later."""
        if self._link is not None:
            self._link.say(subject, payload, event_id)

    async def take(self, durable: str, subject: str) -> Job | None:
        """The next piece of work on `subject` (below WORK) for all who ask by the name `durable`; None where
        there is none for TAKE_SECONDS. BusAway where NATS is away, or not able."""
        if not self.connected:
            raise BusAway("NATS is away")
        try:
            return await from_asyncio(self._jobs.take(durable, subject))
        except (*GONE, nats.js.errors.Error, TimeoutError) as error:
            raise BusAway(str(error) or type(error).__name__) from None

    async def describe(self) -> Server:
        """The NATS server, as it describes itself once JetStream has answered; BusAway where it does not."""
        if self._link is None:
            raise BusAway("NATS is away")
        try:
            await from_asyncio(self._jetstream.account_info())
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            raise BusAway(str(error) or type(error).__name__) from None
        client = self._link.client
        version = str(client.connected_server_version).strip("<>").rpartition(" v")[2]
        return Server(version, client.max_payload)

    async def stores(self) -> bool:
        """Whether the streams take what they are given; after `start`."""
        return await from_asyncio(self._streams.take_all())

    async def stop(self) -> None:
        """Say that no more comes from here, and let go."""
        link, self._link = self._link, None
        if link is not None:
            try:
                await within(self._reactor, STOP_SECONDS, from_asyncio(self._leave(link)))
            except TimeoutError:
                log.warn("the connection to NATS did not close in time")

    async def _leave(self, link: Link) -> None:
        await self._numbering.say_last(link)
        await link.close()

    def _deliver(self, listener: Listener) -> Callable[[Msg], Awaitable[None]]:
        async def deliver(message: Msg) -> None:
            try:
                listener(message.subject, message.data)
            except Exception:
                log.failure("an event on {subject} could not be handled", subject=message.subject)
            self._numbering.heard(message, self._link)

        return deliver

    async def _hear_others(self, message: Msg) -> None:
        self._numbering.heard(message, self._link)
