"""The WebSocket itself (RFC 6455), by Autobahn: its settings, its close codes, and back-pressure both ways.

The router has checked the handshake's form, `accept` has checked the token: what arrives here is let in.
"""

# mypy: disable-error-code="misc", allow-untyped-calls
# Autobahn's base classes are not annotated.

from collections.abc import Awaitable, Callable
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from messenger.core.http.call import Call
from messenger.core.http.parameters import parse_query
from messenger.core.http.writing import write_now
from messenger.core.identity import Identity
from messenger.messages.dispatch import FrameDispatcher, Parts
from messenger.messages.fast_text import FastTextProtocol
from messenger.wire import frames
from messenger.wire.errors import Code, Problem

CLOSE_SECONDS = 3.0  # how long a client has to answer a close frame
FAST_CLOSE_SECONDS = 2.0  # the same for a client to which nobody listens any more
UNHEARD_SECONDS = 0.01  # between two pieces of what it goes on to say
SLOW_CLOSE_SECONDS = 60.0  # the same where what lies unread before it has to be read first
PONG_SECONDS = 20.0

Redeem = Callable[[str], Awaitable[Identity | None]]
"""Gives the identity that asked for a ticket, once; None where it is spent, expired or none of ours."""


@implementer(IPushProducer)
class _Writing:
    """Tells the connection when its transport is full and when it has room again."""

    def __init__(self, socket: "Socket") -> None:
        self._socket = socket

    def pauseProducing(self) -> None:
        self._socket.dispatcher.connection.pause()

    def resumeProducing(self) -> None:
        self._socket.dispatcher.connection.resume()

    def stopProducing(self) -> None:
        self._socket.dispatcher.connection.pause()


class Socket(FastTextProtocol):
    """One WebSocket. `identity` is set before the handshake goes on."""

    identity: Identity
    dispatcher: FrameDispatcher
    parts: Parts
    transport: Any

    def processHandshake(self) -> None:
        """Answer the handshake, whose form the router has checked and which has arrived whole.

        Autobahn's own way, to check all of it again, costs half as much as everything else about it.
        """
        head, _, early = self.data.partition(b"\r\n\r\n")
        self.data = b""
        self.websocket_version = 13
        self.websocket_extensions = []
        self.websocket_protocols = []
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            match name.lower():
                case b"sec-websocket-key":
                    self._wskey = value.strip().decode("ascii")
                case b"sec-websocket-protocol":
                    offered = value.decode("latin-1").split(",")
                    self.websocket_protocols = [one.strip() for one in offered]
        asked = frames.SUBPROTOCOL in self.websocket_protocols
        self.succeedHandshake(frames.SUBPROTOCOL if asked else None)
        if early and self.state == self.STATE_OPEN:
            self.look_at(early)

    def onOpen(self) -> None:
        self.dispatcher = FrameDispatcher(self.parts, self, self.identity)
        self.factory.opened(self)
        self.transport.registerProducer(_Writing(self), True)
        self.dispatcher.open()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if isBinary:
            self.dispatcher.connection.close(frames.BINARY, "text frames only")
        elif not self.dispatcher.connection.closed:
            self.dispatcher.receive(payload)

    def onCloseFrame(self, code: Any, reasonRaw: Any) -> bool:
        if self.state != self.STATE_OPEN:
            return bool(super().onCloseFrame(code, reasonRaw))
        ensureDeferred(self._close_when_finished(code, reasonRaw))
        return True  # nothing may follow a close frame

    async def _close_when_finished(self, code: Any, reason: Any) -> None:
        try:
            await self.dispatcher.finish()
        finally:
            super().onCloseFrame(code, reason)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if hasattr(self, "dispatcher"):
            self.dispatcher.closed()
            self.factory.closed(self)

    def onAutoPingTimeout(self) -> None:
        self.autoPingTimeoutCall = None
        self.dispatcher.connection.close(frames.TOO_SLOW, "no answer to pings")

    # Channel

    def send(self, message: bytes) -> None:
        """Write one WebSocket message; nothing where the client has begun to close.

        The frame is made here: Autobahn's way there costs more than all else that a delivery does.
        """
        if self.state == self.STATE_OPEN:
            write_now(self.transport, text_head(len(message)) + message)

    def close(self, code: int, reason: str) -> None:
        """Say why and close; the transport is dropped if the client does not answer."""
        if self.state == self.STATE_OPEN:
            if code == frames.TOO_SLOW:
                self.closeHandshakeTimeout = SLOW_CLOSE_SECONDS
            elif code == frames.TOO_FAST:
                self.closeHandshakeTimeout = FAST_CLOSE_SECONDS
            # sendClose refuses the codes that RFC 6455 reserves for endpoints such as this one.
            self.sendCloseFrame(code=code, reasonUtf8=reason.encode())
            if code == frames.TOO_FAST:
                # To look for its answer in all that it has sent would cost what it is closed for. It is
                # taken in all the same, at leisure: who is busy writing would not get to read the reason.
                self.deaf = True
            self.resume_reading()

    def extra_frame(self) -> bool:
        return not self.dispatcher.connection.closed and self.dispatcher.receive_extra()

    def unheard(self) -> None:
        self.pause_reading()
        self.factory.reactor.callLater(UNHEARD_SECONDS, self.resume_reading)


def text_head(size: int) -> bytes:
    """The head of a server's unfragmented text of `size` bytes (RFC 6455 section 5.2)."""
    if size < 126:
        return bytes((0x81, size))
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big")
    return b"\x81\x7f" + size.to_bytes(8, "big")


def protocol_options(heartbeat: float) -> dict[str, Any]:
    """Autobahn's settings for our sockets; `heartbeat` is the seconds between two pings."""
    return {
        "maxFramePayloadSize": frames.MAX_FRAME,
        "maxMessagePayloadSize": frames.MAX_FRAME,
        "autoPingInterval": heartbeat,
        "autoPingTimeout": PONG_SECONDS,
        "closeHandshakeTimeout": CLOSE_SECONDS,
        "openHandshakeTimeout": 0,  # it is answered as soon as it is here, and until then the router's counts
        "failByDrop": False,
        "tcpNoDelay": True,
        "utf8validateIncoming": True,
        "allowedOrigins": ["*"],  # the gateway has judged the origin
        "allowNullOrigin": False,
        "serveFlashSocketPolicy": False,
        "webStatus": False,
    }


class SocketFactory(WebSocketServerFactory):
    """Makes sockets, at most `limit` at a time; a part, whose stop waits until they are closed."""

    protocol = Socket
    _open: set[Socket]
    _all_closed: Deferred[None] | None = None

    def __init__(self, parts: Parts, limit: int) -> None:
        super().__init__(reactor=parts.reactor, server="")
        self._parts = parts
        self._limit = limit
        self._open = set()
        self.setProtocolOptions(**protocol_options(parts.heartbeat))
        self.protocol = _configured(self)

    async def start(self) -> None:
        """Nothing to prepare."""

    async def stop(self) -> None:
        """Wait until all sockets are closed, at most CLOSE_SECONDS: a process that ends early resets them."""
        if self._open:
            self._all_closed = Deferred()
            cut = self._parts.reactor.callLater(CLOSE_SECONDS + 0.5, self._cut)
            await self._all_closed
            if cut.active():
                cut.cancel()

    def _cut(self) -> None:
        for socket in list(self._open):
            socket.transport.abortConnection()

    def opened(self, socket: Socket) -> None:
        """A socket is open."""
        self._open.add(socket)

    def closed(self, socket: Socket) -> None:
        """A socket is closed."""
        self._open.discard(socket)
        if not self._open and self._all_closed is not None:
            waiting, self._all_closed = self._all_closed, None
            waiting.callback(None)

    def buildProtocol(self, address: Any) -> Socket | None:
        if len(self._open) >= self._limit:
            return None
        socket: Any = super().buildProtocol(address)
        socket.parts = self._parts
        assert isinstance(socket, Socket)
        return socket


def _configured(factory: SocketFactory) -> type[Socket]:
    """Sockets with the factory's settings, once for all: Autobahn copies them into each new one, and makes a
    text of them for its log, written or not."""
    settings: dict[str, Any] = {name: getattr(factory, name) for name in Socket.CONFIG_ATTRS}
    for name, value in settings.items():
        if callable(value):
            settings[name] = staticmethod(value)
    return type("Socket", (Socket,), {**settings, "CONFIG_ATTRS": ()})


def offered_token(call: Call) -> str | None:
    """The access token in the `Authorization` header or in the list of subprotocols, if there is one."""
    header = call.header("Authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""
    for name in (call.header("Sec-WebSocket-Protocol") or "").split(","):
        if name.strip().startswith(frames.BEARER_PREFIX):
            return name.strip().removeprefix(frames.BEARER_PREFIX)
    return None


async def accept(call: Call, socket: Socket, parts: Parts, redeem: Redeem) -> None:
    """Let the socket in, or raise Problem `unauthorized` or `token_expired`."""
    token = offered_token(call)
    if token is not None:
        socket.identity = await parts.authenticator.identify(token)
    else:
        ticket = parse_query(call.request.query).get("ticket", "")
        identity = await redeem(ticket) if ticket else None
        if identity is None:
            raise Problem(Code.unauthorized, "A WebSocket wants an access token or a ticket.")
        socket.identity = identity
    call.identify(socket.identity)
