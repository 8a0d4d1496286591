"""The live side of one instance: who is connected here, in which conversations, and how far these have come.

News of messages and changes come from live/news.py. Missing some is never final: a jump in the numbers is
read from PostgreSQL, and the heads of all connected conversations, and who has joined, are read again after
every gap in the bus and every few seconds.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from messenger.core.identity import Identity
from messenger.core.waits import pause
from messenger.messages.live.backlog import Backlog
from messenger.messages.live.connection import Behind, Channel, Connection
from messenger.messages.live.feed import Delivered, Feed
from messenger.messages.live.feed import Reading as FeedReading
from messenger.messages.model import Head, Membership, Stored
from messenger.wire import events, frames
from messenger.wire.errors import Problem

HEAL_SECONDS = 5.0
HEAL_BATCH = 5_000
JOINED_SECONDS = 30.0  # a joining shows by then: longer than its transaction may take
RECENT = 10_000
RETRY_SECONDS = 0.5

log = Logger()


class Store(FeedReading, Protocol):
    """What is wanted of the store, besides what feeds and backlogs read."""

    async def heads(self, conversation_ids: Sequence[str]) -> dict[str, Head]:
        """See store.messages.Messages.heads."""

    async def backlog(
        self, device_id: str, wants: Sequence[tuple[str, int, int]], limit: int, size: int
    ) -> list[Stored]:
        """See store.messages.Messages.backlog."""


class Places(Protocol):
    """What is wanted of the store about devices' places."""

    async def memberships(
        self, user_id: str, device_id: str, conversation_id: str | None = None
    ) -> list[Membership]:
        """See store.places.Places.memberships."""

    async def first_seq(self, user_id: str, conversation_id: str) -> int | None:
        """See store.places.Places.first_seq."""

    async def joined(self, seconds: float) -> list[tuple[str, str]]:
        """See store.places.Places.joined."""


class Hub:
    """All feeds and connections of this instance.

    `delivered` is the feeds'. `closing` counts the sockets that were closed from here, by code.
    """

    def __init__(
        self,
        reactor: Any,
        store: Store,
        places: Places,
        unread_bytes: int,
        delivered: Delivered = lambda _seconds, _sockets: None,
    ) -> None:
        self._reactor = reactor
        self._store = store
        self._places = places
        self._delivered = delivered
        self.closing: Counter[int] = Counter()
        self._unread_bytes = unread_bytes
        self._feeds: dict[str, Feed] = {}
        self._users: dict[str, set[Connection]] = {}
        self._devices: dict[str, Connection] = {}
        # Heads heard of lately, also of conversations without a feed: one may be about to be made.
        self._recent: OrderedDict[str, Head] = OrderedDict()
        self._unflushed: list[Connection] = []
        self._attached_listeners: list[Callable[[Connection], object]] = []
        self._synced_listeners: list[Callable[[Connection], object]] = []
        self._backlog = Backlog(reactor, store, self._feeds.get, self._now, self._was_synced)
        self._looked = reactor.seconds()  # for joinings, all that were before
        self._healing = LoopingCall(self.heal)
        self._healing.clock = reactor

    # start and stop

    async def start(self) -> None:
        self._healing.start(HEAL_SECONDS, now=False).addErrback(lambda why: log.failure("healing ended", why))

    async def stop(self) -> None:
        """Send every socket away with 1001."""
        self._healing.stop()
        for connection in list(self._devices.values()):
            connection.close(frames.GOING_AWAY, "the server is going away: connect again")

    @property
    def sockets(self) -> int:
        """How many sockets are open here."""
        return len(self._devices)

    @property
    def feeds(self) -> int:
        """How many conversations have sockets here."""
        return len(self._feeds)

    @property
    def unread(self) -> int:
        """Bytes of frames that clients here have not read."""
        return sum(connection.unread for connection in self._devices.values())

    @property
    def behind(self) -> int:
        """How many sockets here are still being sent what they had missed."""
        return sum(bool(connection.behind) for connection in self._devices.values())

    @property
    def caught_up(self) -> int:
        """How many messages went out that a device had missed."""
        return self._backlog.sent

    def _now(self) -> int:
        return int(self._reactor.seconds() * 1000)

    # connections

    def attach(self, channel: Channel, identity: Identity) -> Connection:
        """A new socket; an older one of the same device is closed with 4409."""
        older = self._devices.get(identity.device_id)
        if older is not None:
            older.close(frames.TAKEN_OVER, "a newer socket of this device has taken over")
        connection = Connection(self, channel, identity, self._unread_bytes)
        connection.since = self._now()
        self._devices[identity.device_id] = connection
        self._users.setdefault(identity.user_id, set()).add(connection)
        for listener in self._attached_listeners:
            listener(connection)
        return connection

    def open(self, connection: Connection) -> None:
        """Start sending what the device has not acknowledged; `synced` follows, then what comes live."""
        ensureDeferred(self._open(connection))

    async def _open(self, connection: Connection) -> None:
        identity = connection.identity
        while not connection.closed:
            try:
                found = await self._places.memberships(identity.user_id, identity.device_id)
                break
            except Problem as problem:
                log.warn("a socket has to wait: {detail}", detail=problem.detail)
                await pause(self._reactor, RETRY_SECONDS)
            except Exception:
                log.failure("a socket's conversations can't be read")
                connection.close(frames.GOING_AWAY, "connect again")
        if connection.closed:
            return
        for membership in found:
            self._enter(connection, membership)
        await self._backlog.bring_up(connection)

    def _enter(self, connection: Connection, membership: Membership) -> None:
        """Have the connection follow a conversation from its place on."""
        name, head, place = membership.conversation_id, membership.head, membership.place
        if head.change <= connection.left.get(name, 0):
            return  # read before its user's leaving, or of that leaving: this socket has been shown both
        feed = self._feeds.get(name)
        if membership.left:
            if feed is None or connection not in feed.connections:  # else the feed is about to say so
                connection.behind[name] = Behind(place.seq, place.change, end=head)
            return
        if feed is None:
            feed = self._feeds[name] = Feed(name, head, self._now, self._delivered)
        elif connection in feed.connections and place.change <= feed.change:
            return
        # In it and yet beyond it: the user has left and joined again, and the feed has heard of neither.
        feed.enter(connection, place)
        if place.seq < feed.seq or place.change < feed.change:
            connection.behind[name] = Behind(place.seq, place.change)
        self._raise(feed, self._recent.get(name, head))
        self._raise(feed, head)

    def on_attached(self, listener: Callable[[Connection], object]) -> None:
        """Call `listener(connection)` for each new socket; before `start`."""
        self._attached_listeners.append(listener)

    def on_synced(self, listener: Callable[[Connection], object]) -> None:
        """Call `listener(connection)` once a socket's first backlog is through; before `start`."""
        self._synced_listeners.append(listener)

    def _was_synced(self, connection: Connection) -> None:
        for listener in self._synced_listeners:
            listener(connection)

    def resend(self, connection: Connection, conversation_id: str, after: int) -> None:
        """Send again what follows `after`, own messages included, as far as the user may see it."""
        ensureDeferred(self._resend(connection, conversation_id, after))

    async def _resend(self, connection: Connection, conversation_id: str, after: int) -> None:
        try:
            first = await self._places.first_seq(connection.identity.user_id, conversation_id)
        except Problem as problem:
            connection.close(frames.GOING_AWAY, f"connect again: {problem.detail}"[:120])
            return
        feed = self._feeds.get(conversation_id)
        if first is None or feed is None or feed not in connection.feeds:
            return
        after = max(after, first - 1)
        behind = connection.behind.setdefault(conversation_id, Behind(feed.seq, feed.change))
        behind.own = True
        behind.seq = min(behind.seq, after)
        await self._backlog.bring_up(connection)

    def detach(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        identity = connection.identity
        if self._devices.get(identity.device_id) is connection:
            del self._devices[identity.device_id]
        mine = self._users.get(identity.user_id)
        if mine is not None:
            mine.discard(connection)
            if not mine:
                del self._users[identity.user_id]
        for feed in list(connection.feeds):
            feed.drop(connection)
            if not feed.connections:
                self._feeds.pop(feed.conversation_id, None)
        connection.behind.clear()

    def end_session(self, ended: events.SessionEnded) -> None:
        """Close the socket of a session that has ended."""
        connection = self._devices.get(ended.device_id)
        if connection is not None and connection.identity.session_id == ended.session_id:
            connection.close(frames.TOKEN_EXPIRED, "the session has ended")

    def flush_later(self, connection: Connection) -> None:
        """Flush the connection at the end of this turn, together with all others that were written to."""
        if not self._unflushed:
            self._reactor.callLater(0, self._flush)
        self._unflushed.append(connection)

    def _flush(self) -> None:
        unflushed, self._unflushed = self._unflushed, []
        for connection in unflushed:
            try:
                connection.flush()
            except Exception:
                # One broken socket must not keep the others of this turn from theirs.
                log.failure("a socket could not be written to")
                connection.gone()

    # who is here

    def socket_of(self, device_id: str) -> Connection | None:
        """The device's socket, if it has one here."""
        return self._devices.get(device_id)

    def sockets_of(self, user_id: str) -> Collection[Connection]:
        """The sockets of the user's devices here."""
        return self._users.get(user_id, ())

    def sockets_in(self, conversation_id: str) -> Collection[Connection]:
        """The sockets that follow the conversation here."""
        feed = self._feeds.get(conversation_id)
        return () if feed is None else feed.connections.keys()

    def tell_users(self, user_ids: Sequence[str], frame: bytes) -> None:
        """Send an encoded frame to all sockets that these users have here."""
        for user_id in user_ids:
            for connection in list(self.sockets_of(user_id)):
                connection.send(frame)

    def join(self, user_id: str, conversation_id: str) -> None:
        """The user may have become a member: have its sockets follow the conversation, if it is one."""
        for connection in list(self.sockets_of(user_id)):
            ensureDeferred(self._join(connection, conversation_id))

    async def _join(self, connection: Connection, conversation_id: str) -> None:
        identity = connection.identity
        try:
            found = await self._places.memberships(identity.user_id, identity.device_id, conversation_id)
        except Problem as problem:
            # Healing comes by within seconds.
            log.warn("a membership has to wait: {detail}", detail=problem.detail)
            return
        for membership in found:
            if not connection.closed:
                self._enter(connection, membership)
        await self._backlog.bring_up(connection)

    # how far conversations have come

    def wants(self, conversation_id: str, head: Head) -> bool:
        """Whether sockets here wait for the message `head.seq`; where there are none, remember the head."""
        feed = self._feeds.get(conversation_id)
        if feed is None:
            self._remember(conversation_id, head)
            return False
        return head.seq > feed.seq

    def reach(self, conversation_id: str, head: Head) -> None:
        """The conversation has come to `head`: whoever follows it here is shown what is there."""
        self._remember(conversation_id, head)
        feed = self._feeds.get(conversation_id)
        if feed is not None:
            self._raise(feed, head)

    def offer(self, stored: Stored, change: int) -> None:
        """A message was committed at which the conversation had `change`: forward it, if it is the next."""
        self._remember(stored.conversation_id, Head(stored.seq, change))
        feed = self._feeds.get(stored.conversation_id)
        if feed is not None and not feed.offer(stored, change):
            ensureDeferred(self._fill(feed))

    def _raise(self, feed: Feed, head: Head) -> None:
        if not feed.reach(head):
            ensureDeferred(self._fill(feed))

    async def _fill(self, feed: Feed) -> None:
        try:
            await feed.fill(self._store)
        except Problem as problem:
            # Healing comes by within seconds.
            log.warn("a conversation has to wait: {detail}", detail=problem.detail)
        for connection in list(feed.connections):
            if feed.conversation_id in connection.behind:
                ensureDeferred(self._backlog.bring_up(connection))
        # The last one here may have been removed; a feed that nobody fills would fall behind.
        if not feed.connections and self._feeds.get(feed.conversation_id) is feed:
            del self._feeds[feed.conversation_id]

    def _remember(self, conversation_id: str, head: Head) -> None:
        known = self._recent.get(conversation_id, head)  # events may overtake each other
        self._recent[conversation_id] = Head(max(head.seq, known.seq), max(head.change, known.change))
        self._recent.move_to_end(conversation_id)
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)

    def heal(self) -> Deferred[None]:
        """Look in PostgreSQL for what the bus may not have told."""
        return ensureDeferred(self._look())

    async def _look(self) -> None:
        try:
            await self._find_joined()
            await self._read_heads()
        except Problem as problem:
            log.warn("heads can't be read: {detail}", detail=problem.detail)
        except Exception:
            # Whatever it was, the next look is in a few seconds: healing must not end.
            log.failure("heads can't be read")

    async def _find_joined(self) -> None:
        began = self._reactor.seconds()
        for name, user_id in await self._places.joined(began - self._looked + JOINED_SECONDS):
            feed = self._feeds.get(name)
            for connection in list(self._users.get(user_id, ())):
                if feed is None or connection not in feed.connections:
                    ensureDeferred(self._join(connection, name))
        self._looked = began

    async def _read_heads(self) -> None:
        for names in _chunks(list(self._feeds), HEAL_BATCH):
            for name, head in (await self._store.heads(names)).items():
                feed = self._feeds.get(name)
                if feed is not None:
                    self._raise(feed, head)


def _chunks(names: list[str], size: int) -> list[list[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]
