"""One connection to an upstream: a request out, its answer in, and the deadlines of both.

The deadline of an answer runs from the complete request to the first byte, then from one sign of life to the
next; it stands still while the client holds us back. While the client's own body is under way its deadlines
hold, and ours only while the upstream does not take what there is.
"""

import typing
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from messenger.core.http.content import Content
from messenger.core.http.writing import write_now
from messenger.gateway.response import BadResponse, Head, Receiver, ResponseParser


class Why(StrEnum):
    """Why an upstream did not answer."""

    unreachable = "unreachable"
    busy = "busy"
    slow = "slow"
    broken = "broken"


class UpstreamError(Exception):
    """No answer. `stale`: a kept connection turned out to have ended before anything came back."""

    def __init__(self, why: Why, detail: str = "", *, stale: bool = False) -> None:
        super().__init__(detail or why.value)
        self.why = why
        self.stale = stale


class Exchange(Receiver):
    """A receiver that is also told of failure, instead of `end`."""

    def failed(self, error: UpstreamError) -> None:
        """The answer will not be complete."""

    def body_failed(self, failure: Failure) -> None:
        """The request's body will not be complete: BodyLost, or Problem says what is wrong."""


class Pool(typing.Protocol):
    """Where a connection belongs."""

    first_byte_seconds: float
    idle_seconds: float
    seconds: Callable[[], float]

    def release(self, connection: "Connection") -> None:
        """The connection is through with a request."""

    def suspect(self, connection: "Connection", error: UpstreamError) -> None:
        """A request was sent and there was no answer."""

    def forget(self, connection: "Connection") -> None:
        """The connection is gone, or is no longer the pool's."""


class Connection(Protocol):
    """One connection to `address`; it carries one request at a time."""

    transport: Any

    def __init__(self, pool: Pool, address: Any) -> None:
        self.address = address
        self.deadline: float | None = None
        self.opens = False  # a socket, so far
        self._pool = pool
        self._parser = ResponseParser()
        self._exchange: Exchange | None = None
        self._sending = False
        self._parting = False
        self._used = False
        self._touched = False
        self._paused = False
        self._lost = False

    @property
    def usable(self) -> bool:
        """Whether another request can be sent."""
        return not self._lost and self._parser.persistent and not self._parser.busy

    @property
    def answered(self) -> bool:
        """Whether anything came back to the latest request."""
        return self._touched

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)

    # The request.

    def send(self, method: bytes, head: bytes, exchange: Exchange) -> None:
        """Send a request's head; its answer goes to `exchange`."""
        self._exchange = exchange
        self._parser.expect(method, exchange)
        self._touched = False
        self.deadline = self._pool.seconds() + self._pool.first_byte_seconds
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
            self.deadline = self._pool.seconds() + self._pool.first_byte_seconds

    def _body_failed(self, failure: Failure) -> None:
        if not self._sending:
            return
        self._sending = False
        exchange, self._exchange = self._exchange, None
        self._part()
        if exchange is not None:
            exchange.body_failed(failure)

    def _part(self) -> None:
        """Break off once the upstream has what was sent: a resumable upload goes on from there."""
        if self._lost:
            return
        self._parting = True
        self.deadline = self._pool.seconds() + self._pool.idle_seconds
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def leave(self) -> None:
        """Break off: nobody waits for the answer any more, which says nothing of the upstream."""
        self._exchange = None
        self.deadline = None
        self.abort()

    # The answer.

    def dataReceived(self, data: bytes) -> None:
        self._touched = True
        if self._exchange is None:
            self.transport.abortConnection()
            return
        if not self._paused and not self._sending:
            self.deadline = self._pool.seconds() + self._pool.idle_seconds
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
        self._pool.release(self)

    def detach(self) -> None:
        """The connection speaks another protocol now, and is the caller's."""
        self._exchange = None
        self.deadline = None
        self._lost = True
        self._pool.forget(self)

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
            self.deadline = self._pool.seconds() + self._pool.idle_seconds
            self.transport.resumeProducing()

    def stall(self, stalled: bool) -> None:
        """The upstream does not take the body, or takes it again."""
        self.deadline = self._pool.seconds() + self._pool.idle_seconds if stalled else None

    def expire(self) -> None:
        """The deadline has passed."""
        self.deadline = None
        if self._parting:
            self.abort()
        elif self._exchange is None:
            self.transport.loseConnection()  # kept long enough
        else:
            self._fail(UpstreamError(Why.slow, "no answer in time"))

    def abort(self) -> None:
        """Break off."""
        if not self._lost:
            self.transport.abortConnection()

    def _fail(self, error: UpstreamError) -> None:
        exchange, self._exchange = self._exchange, None
        self._sending = False
        self.abort()
        if not self._touched and not error.stale:
            self._pool.suspect(self, error)
        if exchange is not None:
            exchange.failed(error)

    def connectionLost(self, reason: Failure = Failure(ConnectionError())) -> None:  # noqa: B008
        if self._lost:
            return
        self._lost = True
        self.deadline = None
        self._pool.forget(self)
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


class Collected(Exchange):
    """A short answer, read whole: `wait` gives its status and body."""

    def __init__(self, connection: Connection, limit: int = 65_536) -> None:
        self._connection = connection
        self._limit = limit
        self._status = 0
        self._parts: list[bytes] = []
        self._size = 0
        self.wait: Deferred[tuple[int, bytes]] = Deferred(lambda _: connection.leave())

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
