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
        self._loop = LoopingCall(lambda: ensureDeferred(self._once()))
        self._loop.clock = reactor
        self._ended: Deferred[Any] | None = None

    async def start(self) -> None:
        self._ended = self._loop.start(self._seconds, now=True)

    async def stop(self) -> None:
        """Let a call that runs come to its end."""
        ended, self._ended = self._ended, None
        if ended is not None:
            self._loop.stop()
            await ended

    async def _once(self) -> None:
        try:
            await self._work()
        except Problem as problem:
            log.warn("{name} must wait: {detail}", name=self._name, detail=problem.detail)
        except Exception:
            log.failure("{name} failed", name=self._name)
