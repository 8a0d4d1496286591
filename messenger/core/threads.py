"""Blocking calls (bcrypt, the S3 SDK) in threads of their own, with a bounded queue in front."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from messenger.wire.errors import unavailable

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """At most `threads` calls run and `queue` wait; one more is answered 503 with Retry-After."""

    def __init__(self, reactor: Any, name: str, threads: int, queue: int) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(minthreads=0, maxthreads=threads, name=name)
        self._limit = threads + queue
        self.taken = 0

    async def start(self) -> None:
        self._pool.start()

    async def stop(self) -> None:
        # Waits for calls that run; they are bounded by what they call.
        self._pool.stop()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result, from a thread; Problem `unavailable` when the queue is full."""
        if self.taken >= self._limit:
            raise unavailable("Too much is waiting for this; try again shortly.", retry_after=2)
        self.taken += 1
        try:
            return await deferToThreadPool(self._reactor, self._pool, function, *args, **kwargs)
        finally:
            self.taken -= 1
