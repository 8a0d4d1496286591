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

from messenger.core.collecting import settle
from messenger.core.systemd import Systemd
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


class Ordered:
    """Parts that start one after the other and stop in the reverse order; a part itself.

    The parts may be given, or made by `build` when it is time to start.
    """

    def __init__(self, reactor: Any, parts: Sequence[Part] = ()) -> None:
        self._reactor = reactor
        self._parts = parts
        self._running: list[Part] = []

    async def build(self) -> Sequence[Part]:
        """The parts, in the order in which they start."""
        return self._parts

    async def start(self) -> None:
        """Start all; where one fails or the start is cancelled, those before it are stopped again."""
        try:
            for part in await self.build():
                await self._start(part)
        except BaseException:
            await self.stop()
            raise

    async def _start(self, part: Part) -> None:
        try:
            await part.start()
        except (StartError, CancelledError):
            raise
        except Exception:
            name = type(part).__name__
            log.failure("start of {part} failed", part=name)
            raise StartError(f"{name} could not start; the log above says why") from None
        self._running.append(part)

    @property
    def stop_seconds(self) -> float:
        """The longest that a stop of what runs now may take."""
        return STOP_SECONDS + sum(float(getattr(part, "grace", 0.0)) for part in self._running)

    async def stop(self) -> None:
        """Stop what runs, each within its share of STOP_SECONDS, with its `grace` in seconds on top of that.

        A part that goes on serving for a while when it is told to stop says so by that attribute.
        """
        deadline = self._reactor.seconds() + STOP_SECONDS
        while self._running:
            part = self._running.pop()
            grace = float(getattr(part, "grace", 0.0))
            deadline += grace
            left = max(0.5, (deadline - grace - self._reactor.seconds()) / (len(self._running) + 1)) + grace
            try:
                await within(self._reactor, left, part.stop())
            except Exception:
                log.failure("stop of {part} failed", part=type(part).__name__)


class Lifecycle(Service):
    """Runs a part for as long as the process lives; `ready` is called once it has started.

    `systemd` is told how things are; by default it is the one that started this process, if any.
    """

    def __init__(
        self,
        reactor: Any,
        part: Part,
        ready: Callable[[], object] = lambda: None,
        systemd: Systemd | None = None,
    ) -> None:
        self._reactor = reactor
        self._part = part
        self._ready = ready
        self._systemd = systemd or Systemd(reactor, os.environ)
        self._starting: Deferred[None] | None = None
        self._started = False

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        self._starting = ensureDeferred(self._start())

    async def _start(self) -> None:
        try:
            await self._part.start()
        except StartError as error:
            self._give_up(str(error), error.status)
            return
        except Exception as error:
            if self.running or not isinstance(error, CancelledError):
                log.failure("the start failed")
                self._give_up("the start failed; the log above says why", EX_FAILURE)
            return
        self._started = True
        settle()
        if self.running:
            self._systemd.ready()
            self._ready()

    def _give_up(self, why: str, status: int) -> None:
        say(why)
        self._systemd.failed(why)
        exit_with(status)
        if self.running:
            self._reactor.stop()

    def stopService(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        self._systemd.stopping(getattr(self._part, "stop_seconds", STOP_SECONDS) + 5.0)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _frame: os._exit(128 + received))
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        if self._starting is not None and not self._starting.called:
            # What runs already is stopped by the part itself; the reactor must not end before that.
            self._starting.cancel()
            await self._starting
        if self._started:
            await self._part.stop()


def say(line: str) -> None:
    """Write a line for the administrator to standard error itself: `twist` makes sys.stderr log events."""
    out = sys.__stderr__
    if out is not None:
        out.write(f"messenger: {line}\n")
        out.flush()


def exit_with(status: int) -> None:
    """Have the process end with `status` once the reactor has stopped: `twist` itself would say 0."""

    def leave() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    atexit.register(leave)
