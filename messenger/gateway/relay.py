"""WebSockets passed to the message service (RFC 6455), as bytes.

The gateway checks the handshake's form and its Origin, sends it on, and waits for the upstream's 101; any
other answer goes back as ordinary HTTP. After that it looks into nothing: what comes from one side is
written to the other, and each transport is the other's producer, so that a side which does not read stops
the one that writes. No frame is read, so nothing is buffered beyond the two sockets' write buffers; what a
client may send is for the message service to judge. When one side ends, the other is closed after what is
left has been written, and what it still writes is dropped, within `CLOSE_SECONDS`.

A gateway that stops says so: each client gets a close frame with code 1001, between two frames of the
service's (so where those end is followed all the time, see frames.py). What the service sends after that is
dropped; what the client sends still goes through, its own close frame last, and with that the service ends
the socket as if the client had begun it.

Origins (RFC 6455 section 10.2): browsers always send one, and a page of any site may open a socket to us.
Only our own host's origin and those that are configured pass; `null` never does. Clients that are no
browsers send none.
"""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection as TcpConnection
from twisted.python.failure import Failure
from zope.interface import implementer

from messenger.core.http.answers import head as head_text
from messenger.core.http.request import Request
from messenger.core.http.upgrade import attach, take_over
from messenger.core.http.writing import write_now
from messenger.core.read_pace import SECONDS, ReadPace
from messenger.gateway.connection import Connection, UpstreamError, Why
from messenger.gateway.forwarding import answer_headers
from messenger.gateway.frames import GOING_AWAY, FrameEnds
from messenger.gateway.preference import shard_hint
from messenger.gateway.proxy import Passage
from messenger.gateway.response import Head
from messenger.gateway.upstream import Upstream

CLOSE_SECONDS = 10.0
UNAVAILABLE = 503


class Relay:
    """Opens relayed sockets to one service and counts them; at most `max_sockets` at a time."""

    def __init__(self, reactor: Any, upstream: Upstream, max_sockets: int = 20_000) -> None:
        self.upstream = upstream
        self.open = 0
        self._reactor = reactor
        self._max_sockets = max_sockets
        self._sides: set[Side] = set()
        self._empty: Deferred[None] | None = None

    @property
    def full(self) -> bool:
        """Whether no further socket is relayed."""
        return self.open >= self._max_sockets

    def start(self, request: Request) -> None:
        """Pass on a handshake that was found good."""
        _Handshake(self, request).start()

    def splice(
        self, client: Any, upstream: Any, releases: Sequence[Callable[[], object] | None], sent: bytes = b""
    ) -> None:
        """Join two transports until one of them ends.

        `releases` are called when the client's and the upstream's have ended. `sent` are the upstream's first
        frames, which the client has been sent already.
        """
        sides = ClientSide(self._ended, self._reactor), ServiceSide(self._ended)
        sides[1].frames.follow(sent)
        sides[0].peer, sides[1].peer = sides[1], sides[0]
        self.open += 1
        self._sides.update(sides)
        attach(client, sides[0], releases[0])
        attach(upstream, sides[1], releases[1])
        client.registerProducer(sides[1], True)
        upstream.registerProducer(sides[0], True)
        client.resumeProducing()
        upstream.resumeProducing()

    def _ended(self, side: "Side") -> None:
        self._sides.discard(side)
        if not self._sides and self._empty is not None:
            empty, self._empty = self._empty, None
            empty.callback(None)
        peer = side.peer
        if peer not in self._sides:
            return
        self.open -= 1
        transport = peer.transport
        transport.unregisterProducer()
        end_writing(transport)
        cut = self._reactor.callLater(CLOSE_SECONDS, transport.abortConnection)
        peer.on_end = lambda: cut.active() and cut.cancel()

    async def go_away(self) -> None:
        """Tell all clients that this gateway goes away; return when all sockets have ended."""
        for side in list(self._sides):
            if isinstance(side, ServiceSide):
                side.go_away()
        if self._sides:
            self._empty = Deferred(self._forget_empty)
            await self._empty

    def _forget_empty(self, _cancelled: object) -> None:
        self._empty = None

    def close(self) -> None:
        """End all sockets."""
        for side in list(self._sides):
            side.transport.abortConnection()


def end_writing(transport: Any) -> None:
    """Close, but take in what the other end is still writing until it has closed, too.

    To close with bytes unread resets the connection: a client that was busy writing may then not get to read
    the service's close frame. TLS closes in this way by itself.
    """
    if isinstance(transport, TcpConnection) and not transport.TLS:
        transport.resumeProducing()
        transport.loseWriteConnection()
    else:
        transport.loseConnection()


@implementer(IPushProducer)
class Side(Protocol):
    """One end of a relayed socket, which the other end holds back."""

    transport: Any
    peer: "Side"

    def __init__(self, ended: Callable[["Side"], None]) -> None:
        self._ended = ended
        self.on_end: Callable[[], object] | None = None

    def connectionMade(self) -> None:
        self.transport.setTcpKeepAlive(True)

    def pauseProducing(self) -> None:
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The other end is gone: what to do about it is the relay's matter."""

    def dataReceived(self, data: bytes) -> None:
        write_now(self.peer.transport, data)

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self._ended(self)
        if self.on_end is not None:
            self.on_end()


class ClientSide(Side):
    """The client's end. One that writes very little very often is read now and then, see `ReadPace`."""

    def __init__(self, ended: Callable[[Side], None], reactor: Any) -> None:
        super().__init__(ended)
        self._reactor = reactor
        self._pace = ReadPace()
        self._full = False
        self._resting = False

    def pauseProducing(self) -> None:
        self._full = True
        super().pauseProducing()

    def resumeProducing(self) -> None:
        self._full = False
        if not self._resting:
            super().resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        if self._pace.too_fast(self._reactor.seconds(), len(data)) and not self._resting:
            self._resting = True
            self.transport.pauseProducing()
            self._reactor.callLater(SECONDS, self._rested)

    def _rested(self) -> None:
        self._resting = False
        if not self._full:
            super().resumeProducing()


class ServiceSide(Side):
    """The service's end: the direction in which we may have something to say."""

    def __init__(self, ended: Callable[[Side], None]) -> None:
        super().__init__(ended)
        self.frames = FrameEnds()
        self._leaving = False

    def dataReceived(self, data: bytes) -> None:
        if not self._leaving:
            write_now(self.peer.transport, data)
            self.frames.follow(data)
        elif not self.frames.closed:
            self.peer.transport.write(self.frames.rest_of_frame(data))
            self._say()

    def go_away(self) -> None:
        """Say 1001 to the client as soon as no frame is under way."""
        self._leaving = True
        self._say()

    def _say(self) -> None:
        if self.frames.between and not self.frames.closed:
            self.frames.closed = True
            self.peer.transport.write(GOING_AWAY)


class _Handshake(Passage):
    """A handshake on its way to the message service."""

    upgrade = True

    def __init__(self, relay: Relay, request: Request) -> None:
        super().__init__(relay.upstream, request)
        self._relay = relay

    async def _connect(self, fresh: bool) -> Connection:
        return await self._upstream.connection(fresh=fresh, socket=True, shard=shard_hint(self._request))

    def head(self, head: Head) -> None:
        if head.status == UNAVAILABLE and self._connection is not None:
            self._upstream.declined(self._connection.address)
        super().head(head)

    def switched(self, head: Head, rest: bytes) -> None:
        request, connection = self._request, self._connection
        if connection is None or request.left:
            return
        if [value.lower() for value in head.values(b"upgrade")] != [b"websocket"]:
            self._give_up(UpstreamError(Why.broken, "an upgrade to something else"))
            return
        self._connection = None
        headers, _ = answer_headers(head)
        headers += [*request.added, ("Connection", "Upgrade"), ("Upgrade", "websocket")]
        raw = head_text(head.status, request.request_id, headers).encode("latin-1")
        connection.detach()
        client, early, release = take_over(request)
        upstream = connection.transport
        client.write(raw + rest)
        if early:
            upstream.write(early)
        address = connection.address
        address.sockets += 1

        def left() -> None:
            address.sockets -= 1

        self._relay.splice(client, upstream, (release, left), rest)
