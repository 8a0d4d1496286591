"""Blocking calls (bcrypt, the S3 SDK) in threads of their own, with a bounded queue in front."""

import os
import sys
from collections.abc import Callable
from threading import Thread
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from messenger.wire.errors import unavailable

P = ParamSpec("P")
T = TypeVar("T")

NICE = 10

log = Logger()


class _Yielding(Thread):
    """A thread whose priority is lower than that of its process."""

    def run(self) -> None:
        os.nice(NICE)  # Linux': of this thread alone
        super().run()


class Threads:
    """At most `threads` calls run and `queue` wait; one more is answered 503 with Retry-After.

    `yielding` threads leave the processor to whatever else wants it (on Linux, where a thread has a priority
    of its own): for what is nothing but computing, and is waited for by one client alone.
    """

    def __init__(self, reactor: Any, name: str, threads: int, queue: int, *, yielding: bool = False) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(minthreads=0, maxthreads=threads, name=name)
        if yielding and sys.platform == "linux":
            self._pool.threadFactory = _Yielding
        self.limit = threads + queue
        self._stopping = False
        self.taken = 0
        self.refused = 0

    async def start(self) -> None:
        self._pool.start()

    async def stop(self) -> None:
        """Wait for calls that run; those that still wait are answered 503."""
        if self._stopping:
            return
        self._stopping = True
        ended: Deferred[None] = Deferred()

        def join() -> None:
            try:
                self._pool.stop()
            finally:
                self._reactor.callFromThread(ended.callback, None)

        # Joining threads blocks, and the reactor must be able to say that it has taken too long.
        Thread(target=join, name="stop-threads", daemon=True).start()
        await ended

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result, from a thread; Problem `unavailable` when the queue is full."""
        if self._stopping or self.taken >= self.limit:
            self.refused += 1
            raise unavailable("Too much is waiting for this; try again shortly.", retry_after=2)
        self.taken += 1
        waiting: Deferred[T] = Deferred()

        def call() -> T:
            if self._stopping:
                raise unavailable("The service is stopping.")
            return function(*args, **kwargs)

        def done(success: bool, result: Any) -> None:
            self._reactor.callFromThread(self._answer, waiting, success, result)

        try:
            self._pool.callInThreadWithCallback(done, call)
        except RuntimeError as error:  # the system lets us have no thread; the call was not queued
            self.taken -= 1
            self.refused += 1
            # Twisted would wait for its end when the pool stops, and it has never begun.
            self._pool.threads = [thread for thread in self._pool.threads if thread.ident is not None]
            log.warn(
                "no thread could be started for {name}: {error}; raise the limit on processes (TasksMax)",
                name=self._pool.name,
                error=str(error),
            )
            raise unavailable("Too much is waiting for this; try again shortly.", retry_after=2) from None
        return await waiting

    def _answer(self, waiting: Deferred[Any], success: bool, result: Any) -> None:
        self.taken -= 1
        if success:
            waiting.callback(result)
        else:
            waiting.errback(result)
