"""A directory: which sockets are open on this instance, and which conversations they follow."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from twisted.logger import Logger

from messenger.core.clock import clock_of
from messenger.core.identity import Identity
from messenger.messages.live.connection import Channel, Connection
from messenger.messages.live.feed import Feed
from messenger.messages.live.follower import Follower
from messenger.messages.live.leaving import Leaving
from messenger.messages.model import Head
from messenger.wire import events, frames

log = Logger()


class Hub:
    """All connections and feeds of this instance. `unread_bytes` is the bound of each connection."""

    def __init__(self, reactor: Any, unread_bytes: int) -> None:
        self._reactor = reactor
        self._clock = clock_of(reactor)
        self._unread_bytes = unread_bytes
        self.feeds: dict[str, Feed] = {}
        self._users: dict[str, list[Connection]] = {}
        self._devices: dict[str, Connection] = {}
        self._unflushed: list[Connection] = []
        self._attached_listeners: list[Callable[[Connection], object]] = []
        self._detached_listeners: list[Callable[[Connection], object]] = []
        self._made_listeners: list[Callable[[str], object]] = []
        self.closed: Counter[int] = Counter()  # sockets that were closed from here, by code
        self._leaving = Leaving(reactor, self.closing)

    async def start(self) -> None:
        """Nothing to prepare."""

    async def stop(self) -> None:
        """Send every socket away with 1001."""
        self._leaving.close_now()
        for connection in list(self._devices.values()):
            connection.close(frames.GOING_AWAY, "the server is going away: connect again")

    def send_away(self, spread: float) -> None:
        """Forget all sockets and feeds. They are deaf and dumb from now on, and closed within `spread` s."""
        for connection in list(self._devices.values()):
            connection.gone()
            self._leaving.close_within(spread, connection.channel)

    def on_attached(self, listener: Callable[[Connection], object]) -> None:
        """Call `listener(connection)` for each new socket; before `start`."""
        self._attached_listeners.append(listener)

    def on_detached(self, listener: Callable[[Connection], object]) -> None:
        """Call `listener(connection)` for each socket that is gone; before `start`."""
        self._detached_listeners.append(listener)

    def on_made(self, listener: Callable[[str], object]) -> None:
        """Call `listener(conversation_id)` for each that gets its first follower here; before `start`."""
        self._made_listeners.append(listener)

    # connections

    def attach(self, channel: Channel, identity: Identity) -> Connection:
        """A new socket; an older one of the same device is closed with 4409."""
        older = self._devices.get(identity.device_id)
        if older is not None:
            older.close(frames.TAKEN_OVER, "a newer socket of this device has taken over")
        connection = Connection(self, channel, identity, self._unread_bytes)
        connection.since = self._clock()
        self._devices[identity.device_id] = connection
        self._users.setdefault(identity.user_id, []).append(connection)
        for listener in self._attached_listeners:
            listener(connection)
        return connection

    def detach(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        if self._devices.get(connection.device_id) is connection:
            del self._devices[connection.device_id]
        mine = self._users.get(connection.user_id, [])
        if connection in mine:
            mine.remove(connection)
            if not mine:
                del self._users[connection.user_id]
            for listener in self._detached_listeners:
                listener(connection)
        for conversation_id, follower in connection.followers.items():
            if follower.member:
                self.leave(conversation_id, follower)

    def end_session(self, ended: events.SessionEnded) -> None:
        """Close the socket of a session that has ended."""
        connection = self._devices.get(ended.device_id)
        if connection is not None and connection.identity.session_id == ended.session_id:
            connection.close(frames.TOKEN_EXPIRED, "the session has ended")

    def closing(self, code: int) -> None:
        """A connection is closed from here, with this code."""
        self.closed[code] += 1

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

    # who follows what

    def feed_of(self, conversation_id: str, head: Head) -> Feed:
        """The conversation's feed; made if there is none, of one that has come to `head`."""
        feed = self.feeds.get(conversation_id)
        if feed is None:
            feed = self.feeds[conversation_id] = Feed(conversation_id, head)
            for listener in self._made_listeners:
                listener(conversation_id)
        return feed

    def leave(self, conversation_id: str, follower: Follower) -> None:
        """Show the follower nothing more; a feed that nobody follows goes."""
        feed = self.feeds.get(conversation_id)
        if feed is not None and follower in feed.followers:
            feed.followers = tuple(one for one in feed.followers if one is not follower)
            if not feed.followers:
                del self.feeds[conversation_id]

    # who is here

    def socket_of(self, device_id: str) -> Connection | None:
        """The device's socket, if it has one here."""
        return self._devices.get(device_id)

    def sockets_of(self, user_id: str) -> Collection[Connection]:
        """The sockets of the user's devices here."""
        return self._users.get(user_id, ())

    def sockets_in(self, conversation_id: str) -> Iterator[Connection]:
        """The sockets here whose users are members of the conversation.

        Those that were not shown all changes yet are left out: one of them may be a removal.
        """
        feed = self.feeds.get(conversation_id)
        if feed is not None:
            for follower in feed.followers:
                if follower.change >= feed.change:
                    yield follower.reader

    def tell_users(self, user_ids: Sequence[str], frame: bytes) -> None:
        """Send an encoded frame to all sockets that these users have here."""
        for user_id in user_ids:
            for connection in list(self.sockets_of(user_id)):
                connection.send(frame)

    # figures

    @property
    def sockets(self) -> int:
        """How many sockets are open here."""
        return len(self._devices)

    @property
    def unread(self) -> int:
        """Bytes of frames that clients here have not read."""
        return sum(connection.unread for connection in self._devices.values())

    @property
    def behind(self) -> int:
        """How many sockets here are being sent what they had missed."""
        return sum(connection.reading for connection in self._devices.values())
