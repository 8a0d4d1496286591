"""Connections to the instances of one service: pooled, bounded, and with a deadline for each step.

An instance is an address. A request goes to the one with the fewest requests in flight among those that are
not resting; one that can't be reached rests, for a second at first and for up to 30 s as it goes on failing.
Idle connections are kept for `KEEP_SECONDS`, which is less than the services keep theirs, so that a request
hardly ever meets a connection that is being closed. Names are resolved anew for each new connection.

Deadlines: 5 s to connect, `first_byte_seconds` from the complete request to the answer's first byte, and
`idle_seconds` between any two signs of life while a body is under way, not counting the time in which the
client holds us back.
"""

import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from messenger.core.http import Content
from messenger.core.http.wire import write_now
from messenger.gateway.response import BadResponse, Head, Receiver, ResponseParser

CONNECT_SECONDS = 5.0
FIRST_BYTE_SECONDS = 30.0
IDLE_SECONDS = 60.0
KEEP_SECONDS = 50.0
MAX_CONNECTIONS = 1_024  # to one address
MAX_IDLE = 64  # kept for one address
REST_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
_SWEEP_SECONDS = 1.0
_ATTEMPT_SECONDS = 0.05
_ADDRESS = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", re.ASCII)

log = Logger(namespace="messenger.gateway")


class Why(StrEnum):
    """Why an upstream did not answer."""

    unreachable = "unreachable"
    busy = "busy"
    slow = "slow"
    broken = "broken"


class UpstreamError(Exception):
    """No answer. `untouched` is true where the upstream surely saw nothing of the request, `stale` where a
    kept connection turned out to have ended before anything came back."""

    def __init__(self, why: Why, detail: str = "", *, untouched: bool = False, stale: bool = False) -> None:
        super().__init__(detail or why.value)
        self.why = why
        self.untouched = untouched
        self.stale = stale


class Exchange(Receiver):
    """A receiver that is also told of failure, instead of `end`."""

    def failed(self, error: UpstreamError) -> None:
        """The answer will not be complete."""

    def body_failed(self, failure: Failure) -> None:
        """The request's body will not be complete: BodyLost, or Problem says what is wrong."""


class Connection(Protocol):
    """One connection to an address; it carries one request at a time."""

    transport: Any

    def __init__(self, upstream: "Upstream", address: "Address") -> None:
        self.address = address
        self.deadline: float | None = None
        self._upstream = upstream
        self._parser = ResponseParser()
        self._exchange: Exchange | None = None
        self._sending = False
        self._used = False
        self._touched = False
        self._paused = False
        self._lost = False

    @property
    def usable(self) -> bool:
        """Whether another request can be sent."""
        return not self._lost and self._parser.persistent and not self._parser.busy

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)

    # The request.

    def send(self, method: bytes, head: bytes, exchange: Exchange) -> None:
        """Send a request's head; its answer goes to `exchange`."""
        self._exchange = exchange
        self._parser.expect(method, exchange)
        self._touched = False
        self.deadline = self._upstream.seconds() + self._upstream.first_byte_seconds
        write_now(self.transport, head)

    def send_body(self, content: Content) -> None:
        """Send the request's body as it comes; it is held back while the upstream does not take it."""
        self._sending = True
        self.deadline = None  # the client's own deadlines hold while its body is under way
        self.transport.registerProducer(_BodyFlow(self, content.producer()), True)
        writer: Any = _Chunks(self.transport) if content.length is None else self.transport
        content.write_to(writer).addCallbacks(self._body_sent, self._body_failed, (content,))

    def _body_sent(self, _result: None, content: Content) -> None:
        if self._lost or not self._sending:
            return
        self._sending = False
        self.transport.unregisterProducer()
        if content.length is None:
            self.transport.write(b"0\r\n\r\n")
        if not self._touched:
            self.deadline = self._upstream.seconds() + self._upstream.first_byte_seconds

    def _body_failed(self, failure: Failure) -> None:
        if not self._sending:
            return
        self._sending = False
        exchange, self._exchange = self._exchange, None
        self.abort()
        if exchange is not None:
            exchange.body_failed(failure)

    # The answer.

    def dataReceived(self, data: bytes) -> None:
        self._touched = True
        if self._exchange is None:
            self.transport.abortConnection()
            return
        if not self._paused and not self._sending:
            self.deadline = self._upstream.seconds() + self._upstream.idle_seconds
        try:
            self._parser.feed(data)
        except BadResponse as error:
            self._fail(UpstreamError(Why.broken, str(error)))

    def done(self) -> None:
        """The answer is complete: keep the connection or close it."""
        self._exchange = None
        self.deadline = None
        if self._sending:
            # Answered before the request was complete: the rest is not wanted.
            self._sending = False
            self.abort()
            return
        self._used = True
        self._upstream.release(self)

    def detach(self) -> None:
        """The connection speaks another protocol now, and is the caller's."""
        self._exchange = None
        self.deadline = None
        self._lost = True
        self._upstream.forget(self)

    def pause(self) -> None:
        """Stop reading: the client is behind."""
        self._paused = True
        self.deadline = None
        if not self._lost:
            self.transport.pauseProducing()

    def resume(self) -> None:
        """Read on."""
        self._paused = False
        if not self._lost and self._exchange is not None:
            self.deadline = self._upstream.seconds() + self._upstream.idle_seconds
            self.transport.resumeProducing()

    def stall(self, stalled: bool) -> None:
        """The upstream does not take the body, or takes it again."""
        self.deadline = self._upstream.seconds() + self._upstream.idle_seconds if stalled else None

    def expire(self) -> None:
        """The deadline has passed."""
        self.deadline = None
        if self._exchange is None:
            self.transport.loseConnection()  # kept long enough
        else:
            self._fail(UpstreamError(Why.slow, "no answer in time"))

    def abort(self) -> None:
        """Break off: nobody waits for the answer."""
        if not self._lost:
            self.transport.abortConnection()

    def _fail(self, error: UpstreamError) -> None:
        exchange, self._exchange = self._exchange, None
        self._sending = False
        self.abort()
        if exchange is not None:
            exchange.failed(error)

    def connectionLost(self, reason: Failure = Failure(ConnectionError())) -> None:  # noqa: B008
        if self._lost:
            return
        self._lost = True
        self.deadline = None
        self._upstream.forget(self)
        exchange = self._exchange
        if exchange is None:
            return
        try:
            self._parser.eof()
        except BadResponse as error:
            stale = self._used and not self._touched
            self._fail(UpstreamError(Why.broken, str(error), stale=stale))


class _BodyFlow:
    """Pauses the client's body when the upstream's socket is full, and starts the idle deadline."""

    def __init__(self, connection: Connection, producer: Any) -> None:
        self._connection = connection
        self._producer = producer

    def pauseProducing(self) -> None:
        self._connection.stall(True)
        self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        self._connection.stall(False)
        self._producer.resumeProducing()

    def stopProducing(self) -> None:
        self._producer.stopProducing()


class _Chunks:
    """Writes each piece as a chunk."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def write(self, data: bytes) -> None:
        self._transport.writeSequence((b"%x\r\n" % len(data), data, b"\r\n"))


class Address:
    """One instance of a service."""

    def __init__(self, text: str) -> None:
        match = _ADDRESS.fullmatch(text.strip())
        if match is None or not 0 < int(match[2]) < 65_536:
            raise ValueError(f"an upstream is HOST:PORT, not {text!r}")
        self.host = match[1].strip("[]")
        self.port = int(match[2])
        self.connections: set[Connection] = set()
        self.connecting = 0
        self.idle: list[Connection] = []
        self.rests_until = 0.0
        self.failures = 0

    @property
    def in_flight(self) -> int:
        """Requests under way, and connections being made for some."""
        return len(self.connections) - len(self.idle) + self.connecting

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Upstream:
    """All instances of the service `name`, at `addresses` of the form HOST:PORT.

    `endpoint` makes what connects to a host and port, where that is not plain TCP.
    """

    def __init__(
        self,
        reactor: Any,
        name: str,
        addresses: Sequence[str],
        *,
        first_byte_seconds: float = FIRST_BYTE_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        max_connections: int = MAX_CONNECTIONS,
        endpoint: Callable[[str, int], IStreamClientEndpoint] | None = None,
    ) -> None:
        if not addresses:
            raise ValueError(f"the service {name} has no address")
        self.name = name
        self.addresses = [Address(text) for text in addresses]
        self.seconds = reactor.seconds
        self.first_byte_seconds = first_byte_seconds
        self.idle_seconds = idle_seconds
        self._max_connections = max_connections
        self._reactor = reactor
        self._sweep: Any = None
        self._closed = False
        self._endpoint = endpoint or self._tcp

    def _tcp(self, host: str, port: int) -> IStreamClientEndpoint:
        if isIPAddress(host):
            return TCP4ClientEndpoint(self._reactor, host, port, timeout=CONNECT_SECONDS)
        if isIPv6Address(host):
            return TCP6ClientEndpoint(self._reactor, host, port, timeout=CONNECT_SECONDS)
        # The delay is that of happy eyeballs, and what a refused connection costs.
        return HostnameEndpoint(
            self._reactor, host, port, timeout=CONNECT_SECONDS, attemptDelay=_ATTEMPT_SECONDS
        )

    async def connection(self, *, fresh: bool = False, only: Address | None = None) -> Connection:
        """A connection that is ready for a request; UpstreamError where there is none to be had.

        With `fresh` it is a new one. Each address that can't be reached is tried once.
        """
        tried: list[Address] = []
        while True:
            address = only if only is not None and not tried else self._choose(tried)
            if address is None:
                raise UpstreamError(Why.unreachable, f"{self.name} can't be reached", untouched=True)
            while address.idle and not fresh:
                connection = address.idle.pop()
                if connection.usable:
                    connection.deadline = None
                    return connection
                connection.abort()
            if len(address.connections) + address.connecting >= self._max_connections:
                raise UpstreamError(Why.busy, f"{address} has too many requests", untouched=True)
            try:
                return await self._connect(address)
            except Exception as error:
                self._rest(address, error)
                tried.append(address)
                if only is not None:
                    raise UpstreamError(Why.unreachable, f"{address} can't be reached") from None

    def _choose(self, tried: list[Address]) -> Address | None:
        left = [address for address in self.addresses if address not in tried]
        if not left:
            return None
        now = self.seconds()
        awake = [address for address in left if address.rests_until <= now]
        # With all of them resting, ask the one that has rested longest rather than nobody.
        return min(awake or left, key=lambda one: one.in_flight if awake else one.rests_until)

    async def _connect(self, address: Address) -> Connection:
        factory = Factory.forProtocol(lambda: Connection(self, address))
        factory.noisy = False
        address.connecting += 1
        try:
            attempt: Deferred[Any] = self._endpoint(address.host, address.port).connect(factory)
            connection: Connection = await attempt.addTimeout(CONNECT_SECONDS, self._reactor)
        finally:
            address.connecting -= 1
        if self._closed:
            connection.abort()
            raise ConnectionError("stopping")
        address.connections.add(connection)
        address.failures = 0
        address.rests_until = 0.0
        if self._sweep is None:
            self._sweep = self._reactor.callLater(_SWEEP_SECONDS, self._sweep_deadlines)
        return connection

    def _rest(self, address: Address, error: Exception) -> None:
        seconds = REST_SECONDS[min(address.failures, len(REST_SECONDS) - 1)]
        address.failures += 1
        address.rests_until = self.seconds() + seconds
        log.warn(
            "{upstream} at {address} can't be reached: {why}",
            event="upstream_unreachable",
            upstream=self.name,
            address=str(address),
            why=type(error).__name__,
        )

    def release(self, connection: Connection) -> None:
        """A request is through: keep its connection where that is of use."""
        address = connection.address
        if connection.usable and len(address.idle) < MAX_IDLE and not self._closed:
            connection.deadline = self.seconds() + KEEP_SECONDS
            address.idle.append(connection)
        else:
            connection.transport.loseConnection()

    def forget(self, connection: Connection) -> None:
        """A connection is gone, or is no longer ours."""
        address = connection.address
        address.connections.discard(connection)
        if connection in address.idle:
            address.idle.remove(connection)

    def _sweep_deadlines(self) -> None:
        self._sweep = None
        now = self.seconds()
        left = False
        for address in self.addresses:
            for connection in [one for one in address.connections if one.deadline is not None]:
                if connection.deadline is not None and connection.deadline <= now:
                    connection.expire()
            left = left or bool(address.connections)
        if left and not self._closed:
            self._sweep = self._reactor.callLater(_SWEEP_SECONDS, self._sweep_deadlines)

    @property
    def in_flight(self) -> int:
        """Requests under way at all instances."""
        return sum(address.in_flight for address in self.addresses)

    @property
    def resting(self) -> int:
        """How many instances are left alone for now."""
        now = self.seconds()
        return sum(address.rests_until > now for address in self.addresses)

    def close(self) -> None:
        """Break off all connections."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for address in self.addresses:
            for connection in list(address.connections):
                connection.abort()


class Collected(Exchange):
    """A short answer, read whole: `wait` gives its status and body."""

    def __init__(self, connection: Connection, limit: int = 65_536) -> None:
        self._connection = connection
        self._limit = limit
        self._status = 0
        self._parts: list[bytes] = []
        self._size = 0
        self.wait: Deferred[tuple[int, bytes]] = Deferred(lambda _: connection.abort())

    def proceed(self) -> None:
        """Nothing waits for that."""

    def head(self, head: Head) -> None:
        self._status = head.status

    def data(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            self._connection.abort()
        else:
            self._parts.append(data)

    def end(self) -> None:
        self._connection.done()
        self.wait.callback((self._status, b"".join(self._parts)))

    def switched(self, head: Head, rest: bytes) -> None:
        self._connection.abort()

    def failed(self, error: UpstreamError) -> None:
        self.wait.errback(error)

    def body_failed(self, failure: Failure) -> None:
        self.wait.errback(failure)
