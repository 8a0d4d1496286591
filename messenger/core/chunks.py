"""A body that Twisted pushes, to be pulled: its chunks one by one, at the speed of whoever takes them.

At most what one read of the network brought waits here; then the sender is paused until that was taken.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from zope.interface import implementer

from messenger.core.streams import Receiving, StreamBroken


@implementer(IConsumer)
class Chunks:
    """The chunks of `body`, to be taken to the end or closed. `broken` makes the error for one that breaks
    off."""

    def __init__(self, body: Receiving, broken: Callable[[], Exception]) -> None:
        self._body = body
        self._broken = broken
        self._chunks: deque[bytes] = deque()
        self._producer: Any = None
        self._paused = False
        self._begun = False
        self._ended = False
        self._error: BaseException | None = None
        self._waiting: Deferred[None] | None = None

    def __aiter__(self) -> "Chunks":
        return self

    async def __anext__(self) -> bytes:
        if not self._begun:
            self._begun = True
            ensureDeferred(self._body.write_to(self)).addCallbacks(self._end, self._fail)
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._resume()
            if not self._chunks and not self._ended:
                self._waiting = Deferred(self._forget)
                await self._waiting
        return self._chunks.popleft()

    def close(self) -> None:
        """Want no more; harmless at the end."""
        if not self._ended:
            self._chunks.clear()
            self._body.close()

    # What the body calls.

    def write(self, data: bytes) -> None:
        self._chunks.append(data)
        if not self._paused and self._producer is not None:
            self._paused = True
            self._producer.pauseProducing()
        self._wake()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        del streaming
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None

    def _resume(self) -> None:
        if self._paused and self._producer is not None:
            self._paused = False
            self._producer.resumeProducing()

    def _end(self, _result: None) -> None:
        self._ended = True
        self._wake()

    def _fail(self, why: Failure) -> None:
        self._ended = True
        self._error = self._broken() if why.check(StreamBroken) else why.value
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def _forget(self, _cancelled: object) -> None:
        self._waiting = None
