"""Upkeep: what a service does over and over while it runs."""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from messenger.wire.errors import Problem

log = Logger()


class Periodic:
    """A part that calls `work` at the start and every `seconds` from then on, never twice at a time.

    A call that fails is logged; the next one tries again. `name` is for the log.
    """

    def __init__(self, reactor: Any, seconds: float, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self._seconds = seconds
        self._name = name
        self._work = work
        self._loop = LoopingCall(self._tick)
        self._loop.clock = reactor
        self._busy = False
        self._again = False
        self._idle: list[Deferred[None]] = []

    async def start(self) -> None:
        self._loop.start(self._seconds, now=True).addErrback(
            lambda why: log.failure("{name} is no longer done; restart this instance", why, name=self._name)
        )

    async def stop(self) -> None:
        """Let a call that runs come to its end."""
        if self._loop.running:
            self._loop.stop()
        if self._busy:
            waiting: Deferred[None] = Deferred()
            self._idle.append(waiting)
            await waiting

    def soon(self) -> None:
        """Call `work` now, or once more after the call that runs; nothing unless started."""
        if self._busy:
            self._again = True
        elif self._loop.running:
            self._tick()

    def _tick(self) -> None:
        if not self._busy:
            self._busy = True
            ensureDeferred(self._run())

    async def _run(self) -> None:
        try:
            await self._once()
            while self._again and self._loop.running:
                self._again = False
                await self._once()
        finally:
            self._busy = self._again = False
            idle, self._idle = self._idle, []
            for waiting in idle:
                waiting.callback(None)

    async def _once(self) -> None:
        try:
            await self._work()
        except Problem as problem:
            log.warn("{name} failed, and is tried again: {detail}", name=self._name, detail=problem.detail)
        except Exception:
            log.failure("{name} failed", name=self._name)
