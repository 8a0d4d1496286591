"""Writing a long answer at the speed at which its client takes it."""

# mypy: allow-untyped-calls
# What is overridden here is not annotated in Twisted.

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from zope.interface import implementer

if TYPE_CHECKING:
    from messenger.core.http.request import Request


@implementer(IConsumer, IPushProducer)
class Download:
    """The sink of a `StreamedAnswer`.

    Either `await send(data)` piece by piece: it returns when the client can take more. Or hand it as a
    consumer to whatever registers a push producer of its own (an Agent's `deliverBody`, say): that one is
    paused and resumed. It provides IConsumer.
    """

    def __init__(self, request: "Request") -> None:
        self._request = request
        self._producer: Any = None
        self._paused = False
        self._waiting: Deferred[None] | None = None
        request.registerProducer(self, True)

    async def send(self, data: bytes) -> None:
        """Write, and wait until the client can take more."""
        self._request.write(data)
        while self._paused:
            self._waiting = Deferred()
            await self._waiting

    def write(self, data: bytes) -> None:
        self._request.write(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Only push producers: pause and resume are passed on to it."""
        if not streaming:
            raise ValueError("only a push producer can be registered")
        if self._producer is not None:
            raise RuntimeError("a producer is registered")
        self._producer = producer
        if self._paused:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        self._producer = None

    def pauseProducing(self) -> None:
        self._paused = True
        if self._producer is not None:
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        if self._producer is not None:
            self._producer.resumeProducing()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def stopProducing(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
