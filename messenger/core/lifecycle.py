"""Ordered, loud start and stop of a process.

A process is a list of parts. They start one after the other, in the order given, and each may wait for what
it needs; the first that fails ends the process with one line on standard error and a non-zero status, after
the parts before it were stopped again. SIGTERM or SIGINT stops them in the reverse order, each within its
share of `STOP_SECONDS`; a second signal ends the process at once.

Twisted's own MultiService starts children without waiting and stops them all at once, hence this module.
"""

import atexit
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.logger import Logger

from messenger.core.waits import within

EX_FAILURE = 1
EX_CONFIG = 78  # sysexits.h: something in the configuration is wrong
STOP_SECONDS = 10.0

log = Logger()


class StartError(Exception):
    """Why the process can't start: one line for the administrator that says what is wrong and what to do.

    `status` is the process's exit status.
    """

    def __init__(self, message: str, status: int = EX_FAILURE) -> None:
        super().__init__(message)
        self.status = status


class Part(Protocol):
    """Something that is started and stopped with the process."""

    async def start(self) -> None:
        """Return once others can rely on this part; raise StartError to end the process."""

    async def stop(self) -> None:
        """Finish what is under way and let go of everything; called only after a start that returned."""


class Lifecycle(Service):
    """Runs `parts` for as long as the process lives; `ready` is called once all have started.

    `started` fires when the start is through, one way or the other.
    """

    def __init__(
        self, reactor: Any, parts: Sequence[Part], ready: Callable[[], object] = lambda: None
    ) -> None:
        self._reactor = reactor
        self._parts = parts
        self._ready = ready
        self._running: list[Part] = []
        self._starting: Deferred[None] | None = None

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        self._starting = ensureDeferred(self._start())

    async def _start(self) -> None:
        for part in self._parts:
            if not self.running:
                return
            try:
                await part.start()
            except StartError as error:
                self._give_up(str(error), error.status)
                return
            except CancelledError:
                return
            except Exception:
                log.failure("start of {part} failed", part=type(part).__name__)
                self._give_up(f"{type(part).__name__} could not start; the log above says why", EX_FAILURE)
                return
            self._running.append(part)
        if self.running:
            self._ready()

    def _give_up(self, message: str, status: int) -> None:
        sys.stderr.write(f"messenger: {message}\n")
        exit_with(status)
        if self.running:
            self._reactor.stop()

    def stopService(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _frame: os._exit(128 + received))
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
        deadline = self._reactor.seconds() + STOP_SECONDS
        while self._running:
            part = self._running.pop()
            left = max(0.5, (deadline - self._reactor.seconds()) / (len(self._running) + 1))
            try:
                await within(self._reactor, left, part.stop())
            except Exception:
                log.failure("stop of {part} failed", part=type(part).__name__)


def exit_with(status: int) -> None:
    """Have the process end with `status` once the reactor has stopped: `twist` itself would say 0."""

    def leave() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    atexit.register(leave)
