"""Bodies to and from another HTTP server by Twisted's Agent: bit by bit, with back-pressure and deadlines.

`Sending` is a request's body made of chunks that come from an async iterator; `Receiving` is a response's
body on its way into a consumer. Neither holds more than one chunk, and neither waits for ever: a peer that
owes something (room for the next chunk, an answer, more of a body) and is silent for `STALL_SECONDS` is cut
off. The time in which we ourselves are not ready (the client of ours is slow) does not count.
"""

# mypy: allow-untyped-calls

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web._newclient import LengthEnforcingConsumer
from twisted.web.client import ResponseDone
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer

from messenger.core.http.writing import write_now

STALL_SECONDS = 20.0


class StreamBroken(Exception):
    """A body ended before it was complete, or its sender fell silent."""


class Debt:
    """Calls `stalled` once, when the peer has owed something for `seconds` without a sign of life."""

    def __init__(self, reactor: Any, stalled: Callable[[], object], seconds: float = STALL_SECONDS) -> None:
        self._reactor = reactor
        self._stalled = stalled
        self._seconds = seconds
        self._since: float | None = None
        self._call: Any = None

    def owed(self) -> None:
        """The peer owes something from now on, or has just shown a sign of life and owes more."""
        self._since = self._reactor.seconds()
        if self._call is None:
            self._call = self._reactor.callLater(self._seconds, self._look)

    def settled(self) -> None:
        """The peer owes nothing."""
        self._since = None

    def close(self) -> None:
        """Watch no more."""
        self._since = None
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _look(self) -> None:
        # One delayed call goes along behind the stream: moving it with each chunk would cost more.
        self._call = None
        if self._since is None:
            return
        left = self._since + self._seconds - self._reactor.seconds()
        if left > 0:
            self._call = self._reactor.callLater(left, self._look)
        else:
            self._since = None
            self._stalled()


class Pieces:
    """Bytes that are there already, as an async iterator of chunks."""

    def __init__(self, pieces: Iterable[bytes | bytearray]) -> None:
        self._pieces = iter(pieces)

    def __aiter__(self) -> "Pieces":
        return self

    async def __anext__(self) -> bytes:
        for piece in self._pieces:
            return bytes(piece)
        raise StopAsyncIteration


class _AtOnce:
    """The sink of a body of known length: the connection, without a turn of waiting."""

    __slots__ = ("_transport",)

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def write(self, data: bytes) -> None:
        write_now(self._transport, data)


@implementer(IBodyProducer)
class Sending:
    """A request's body of `length` bytes, from `chunks`. `error` is what ended them early, if anything.

    `stalled` is called where the peer takes no more, or does not answer after the last byte.
    """

    def __init__(
        self, reactor: Any, chunks: AsyncIterator[bytes], length: int, stalled: Callable[[], object]
    ) -> None:
        self.length = length
        self.error: BaseException | None = None
        self._chunks = chunks
        self._debt = Debt(reactor, stalled)
        self._running: Deferred[None] | None = None
        self._finished: Deferred[None] | None = None
        self._paused = False
        self._waiting: Deferred[None] | None = None
        self._debt.owed()  # a connection

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        finished: Deferred[None] = Deferred(lambda _: self._cancel())
        self._finished = finished
        if isinstance(consumer, LengthEnforcingConsumer):
            consumer._consumer = _AtOnce(consumer._consumer)  # what is gone need not be held
        self._running = ensureDeferred(self._run(consumer))
        self._running.addCallbacks(self._end, self._fail)
        return finished

    async def _run(self, consumer: Any) -> None:
        self._debt.settled()
        async for chunk in self._chunks:
            consumer.write(chunk)
            while self._paused:
                self._debt.owed()
                self._waiting = Deferred()
                await self._waiting
            self._debt.settled()
        self._debt.owed()  # an answer

    def _end(self, _result: None) -> None:
        finished, self._finished = self._finished, None
        if finished is not None:
            finished.callback(None)

    def _fail(self, why: Failure) -> None:
        finished, self._finished = self._finished, None
        if finished is not None:
            self.error = why.value
            finished.errback(why)

    def _cancel(self) -> None:
        self._finished = None
        self.stop()

    def stop(self) -> None:
        """Take no more chunks and watch no more."""
        self._finished = None  # IBodyProducer: what is stopped does not report
        self._debt.close()
        running, self._running = self._running, None
        if running is not None:
            running.cancel()

    def stopProducing(self) -> None:
        self.stop()

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)


@implementer(IPushProducer)
class Receiving(Protocol):
    """The body of `response`, to be taken once: by `write_to`, by `read`, or not at all by `close`."""

    transport: Any

    def __init__(self, reactor: Any, response: IResponse) -> None:
        self._response = response
        self._debt = Debt(reactor, self._stalled)
        self._done: Deferred[None] = Deferred(lambda _: self.close())
        self._take: Callable[[bytes], object] = lambda data: None
        self._paused = False
        self._begun = False
        self._ended = False
        self._why: StreamBroken | None = None

    async def write_to(self, consumer: Any) -> None:
        """Write the whole body into an IConsumer that may pause it; StreamBroken if it breaks off."""
        self._take = consumer.write
        consumer.registerProducer(self, True)
        try:
            await self._deliver()
        finally:
            consumer.unregisterProducer()

    async def read(self, limit: int) -> bytes:
        """The first `limit` bytes at most; what comes beyond is read and forgotten."""
        pieces: list[bytes] = []
        left = limit

        def take(data: bytes) -> None:
            nonlocal left
            if left > 0:
                pieces.append(data[:left])
                left -= len(data)

        self._take = take
        await self._deliver()
        return b"".join(pieces)

    async def _deliver(self) -> None:
        self._begun = True
        self._debt.owed()
        self._response.deliverBody(self)
        if self._ended:
            self._debt.close()
        if self._paused and self.transport is not None:
            self.transport.pauseProducing()  # deliverBody resumes, whatever was said meanwhile
        try:
            await self._done
        finally:
            self._debt.close()

    def close(self) -> None:
        """Want no more of it: the connection is closed. Harmless when the body is through."""
        self._debt.close()
        if not self._begun:
            self._begun = True
            self._done.addErrback(lambda _: None)
            self._response.deliverBody(self)
        if self.transport is not None:
            self.transport.loseConnection()

    def _stalled(self) -> None:
        self._why = StreamBroken("the peer has fallen silent in the middle of a body")
        self.close()

    def dataReceived(self, data: bytes) -> None:
        if not self._paused:
            self._debt.owed()
        self._take(data)

    def connectionLost(self, reason: Failure = Failure(ResponseDone())) -> None:  # noqa: B008
        self._ended = True
        self._debt.close()
        if self._done.called:
            return
        if reason.check(ResponseDone):
            self._done.callback(None)
        else:
            self._done.errback(self._why or StreamBroken("the body broke off"))

    def pauseProducing(self) -> None:
        self._paused = True
        self._debt.settled()
        if self.transport is not None:
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        if not self._ended:
            self._debt.owed()
        if self.transport is not None:
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        self.close()
