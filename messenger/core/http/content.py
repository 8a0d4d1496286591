"""A request's body as a stream, with back-pressure.

Bytes come from the channel in the sizes that the network brought them. At most one network read waits here
unread: then the channel stops reading from the socket (so TCP holds the client back) until the reader has
caught up. A reader takes the body in one of three ways, and only in one: by async iteration, whole by
`read`, or as an `IBodyProducer` that writes into a consumer. All end with `BodyLost` where the client leaves
or is too slow, with Problem `too_large` where more comes than `limit` allows, and with Problem `bad_request`
where the chunked coding is broken (RFC 9112 section 7.1).

`Expect: 100-continue` (RFC 9110 section 10.1.1) is answered when somebody first asks for bytes: so never
before the request was authenticated, and never for a body that is refused.
"""

from collections import deque
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from messenger.wire.errors import Code, Problem


class BodyLost(Exception):
    """The body will never be complete: its sender has left, or sent too slowly."""


class Source(Protocol):
    """Where a body comes from; the content steers it."""

    def pause_body(self) -> None:
        """Bring no more bytes until told to."""

    def resume_body(self) -> None:
        """Bring bytes again."""

    def continue_body(self) -> None:
        """Somebody wants the body: send `100 Continue` if the client waits for it."""


def _too_large(limit: int) -> Problem:
    return Problem(Code.too_large, f"The body may have at most {limit} bytes.")


class Content:
    """The body of one request. `length` is its announced length in bytes, None where it comes chunked."""

    __slots__ = (
        "_chunks",
        "_consumer",
        "_done",
        "_error",
        "_parts",
        "_paused",
        "_source",
        "_started",
        "_waiting",
        "complete",
        "length",
        "limit",
        "received",
    )

    def __init__(self, source: Source, length: int | None) -> None:
        self.length = length
        self.limit: int | None = None
        self.received = 0
        self.complete = length == 0
        self._source = source
        self._chunks: deque[bytes] = deque()
        self._error: Exception | None = None
        self._waiting: Deferred[None] | None = None
        self._parts: list[bytes] | None = None
        self._consumer: IConsumer | None = None
        self._done: Deferred[None] | None = None
        self._paused = False
        self._started = False

    # What the channel calls.

    def feed(self, data: bytes) -> None:
        """Take bytes from the network."""
        self.received += len(data)
        if self._error is not None:
            return
        if self.limit is not None and self.received > self.limit:
            self.fail(_too_large(self.limit))
        elif self._consumer is not None:
            self._consumer.write(data)
        elif self._parts is not None:
            self._parts.append(data)
        else:
            self._chunks.append(data)
            if self._waiting is not None:
                self._wake()
            if self._chunks:
                self._pause()

    def end(self) -> None:
        """The body is complete. The channel reads on, or it would not see the client leave."""
        self._resume()
        self.complete = True
        self._settle()

    def fail(self, error: Exception) -> None:
        """The body will not be complete; what was read of it is void."""
        if self._error is None and not self.complete:
            self._error = error
            self._chunks.clear()
            self._settle()

    def discard(self) -> None:
        """Nobody wants the rest: let it come and forget it."""
        self._chunks.clear()
        self.fail(BodyLost("the rest of the body was not wanted"))
        self._resume()

    @property
    def wanted(self) -> bool:
        """Whether a reader has begun to take the body."""
        return self._started

    # What a reader calls.

    def __aiter__(self) -> "Content":
        return self

    async def __anext__(self) -> bytes:
        chunk = await self.next()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def next(self) -> bytes | None:
        """The next bytes, never empty, or None at the end."""
        self._start()
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self.complete:
                return None
            self._resume()
            self._waiting = Deferred(self._forget)
            await self._waiting
        return self._chunks.popleft()

    async def read(self, limit: int) -> bytes:
        """The whole body; Problem `too_large` beyond `limit` bytes."""
        if self.limit is None or limit < self.limit:
            self.limit = limit
            if max(self.received, self.length or 0) > limit:
                self.fail(_too_large(limit))
        self._start()
        self._parts = list(self._chunks)
        self._chunks.clear()
        while not self.complete and self._error is None:
            self._resume()
            self._waiting = Deferred(self._forget)
            await self._waiting
        if self._error is not None:
            raise self._error
        parts, self._parts = self._parts, None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def producer(self) -> "ContentProducer":
        """The body for an Agent, or for whoever else takes an `IBodyProducer`."""
        return ContentProducer(self)

    def write_to(self, consumer: Any) -> Deferred[None]:
        """Write all bytes to `consumer` as they come; the result is None once the body is complete.

        Only the bytes: whoever needs back-pressure pauses and resumes the content's `producer`.
        """
        self._start()
        self._done = Deferred(lambda _: self.discard())
        self._consumer = consumer
        done = self._done
        while self._chunks:
            consumer.write(self._chunks.popleft())
        if self.complete or self._error is not None:
            self._settle()
        else:
            self._resume()
        return done

    def _start(self) -> None:
        if not self._started:
            self._started = True
            if not self.complete and self._error is None:
                self._source.continue_body()

    def _forget(self, _cancelled: object) -> None:
        self._waiting = None

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def _settle(self) -> None:
        done, self._done = self._done, None
        if done is not None:
            self._consumer = None
            if self._error is not None:
                done.errback(self._error)
            else:
                done.callback(None)
        self._wake()

    def _pause(self) -> None:
        if not self._paused and not self.complete:
            self._paused = True
            self._source.pause_body()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            if not self.complete:
                self._source.resume_body()


@implementer(IBodyProducer)
class ContentProducer:
    """A content as an `IBodyProducer`: its consumer pauses the client's own socket."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self.length = UNKNOWN_LENGTH if content.length is None else content.length

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        return self._content.write_to(consumer)

    def pauseProducing(self) -> None:
        self._content._pause()

    def resumeProducing(self) -> None:
        self._content._resume()

    def stopProducing(self) -> None:
        self._content.discard()
