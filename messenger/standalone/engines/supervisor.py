"""Keeps one engine running from `start` to `stop`.

`start` returns once the engine serves. If it ends by itself after that, it is started again, at first after
FIRST_PAUSE seconds and, as long as it doesn't run for STABLE seconds, after twice the last pause, up to
LONGEST_PAUSE; each time one line in the log says so. `stop` goes down the engine's ladder of signals, from
the kindest to SIGKILL, and takes as long as the ladder's times together at most.
"""

import signal
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from messenger.core.lifecycle import StartError
from messenger.standalone.engines.leftovers import Ladder
from messenger.standalone.engines.process import Command, Launcher, Process, Traces

START_SECONDS = 60.0  # from the process's start until it serves
ASK_AGAIN = 0.05  # seconds between two questions whether it serves
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
STABLE = 60.0

log = Logger()


class Engine(Protocol):
    """One engine, to a supervisor. `title` is its name to people; `traces` is where it leaves some."""

    title: str
    traces: Traces
    ladder: Ladder

    async def prepare(self) -> None:
        """Make its directory and files ready; called before each of its starts."""

    def command(self) -> Command:
        """How to run it."""

    def tidy(self) -> None:
        """Remove what it has left outside its directory; called after it has ended."""

    async def serves(self) -> bool:
        """Whether it is ready for clients, asked in its own protocol."""


class PortTaken(StartError):
    """An engine can't listen where it should: somebody else does."""


class Supervisor:
    """Runs one engine."""

    def __init__(self, reactor: Any, launcher: Launcher, engine: Engine) -> None:
        self._reactor = reactor
        self._launcher = launcher
        self._engine = engine
        self._process: Process | None = None
        self._wanted = False
        self._pause: Deferred[None] | None = None
        self._watch: Deferred[None] | None = None

    @property
    def pid(self) -> int | None:
        """The engine's process id; None while it doesn't run."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Return once the engine serves; StartError, with the last line of its log, if it won't; PortTaken
        where that is for a port."""
        self._wanted = True
        await self._engine.prepare()
        try:
            await self._run()
        except StartError:
            await self.stop()
            raise
        self._watch = ensureDeferred(self._keep())

    async def stop(self) -> None:
        """Return once the engine has ended. It may be stopped while it starts, and twice."""
        self._wanted = False
        if self._pause is not None:
            self._pause.cancel()
        if self._process is not None:
            for number, seconds in (*self._engine.ladder, (signal.SIGKILL, 1.0)):
                if self._process.exit is not None:
                    break
                self._process.send(number)
                await self._wait(seconds, self._process)
        if self._watch is not None:
            watch, self._watch = self._watch, None
            await watch
        self._engine.tidy()

    def send(self, number: int) -> None:
        """Send the engine signal `number`, as fate would: what comes of it is for this class to put right."""
        if self._process is not None:
            self._process.send(number)

    def _stopped(self) -> bool:
        return not self._wanted

    async def _run(self) -> None:
        if not self._wanted:
            raise self._failure("was stopped before it served")
        try:
            process = self._process = self._launcher.start(self._engine.command(), self._engine.traces)
        except OSError as error:
            raise self._failure(f"can't be started: {error.strerror}") from None
        deadline = self._reactor.seconds() + START_SECONDS
        while self._wanted and process.exit is None:
            if await self._engine.serves():
                return
            if self._reactor.seconds() > deadline:
                raise self._failure(f"did not serve within {START_SECONDS:.0f} s", process)
            await self._wait(ASK_AGAIN, process)
        if not self._wanted:
            raise self._failure("was stopped before it served")
        raise self._failure(f"ended before it served ({process.exit})", process)

    async def _keep(self) -> None:
        """Start the engine again whenever it ends, until it is no longer wanted."""
        pause = FIRST_PAUSE
        while True:
            assert self._process is not None
            since = self._reactor.seconds()
            await self._process.ended()
            if self._stopped():
                return
            if self._reactor.seconds() - since >= STABLE:
                pause = FIRST_PAUSE
            log.warn(
                "{title} ended ({exit}): starting it again in {pause} s",
                title=self._engine.title,
                exit=self._process.exit,
                pause=pause,
            )
            await self._wait(pause)
            if self._stopped():
                return
            pause = min(2 * pause, LONGEST_PAUSE)
            try:
                await self._engine.prepare()
                await self._run()
            except StartError as error:
                if self._wanted:
                    log.warn("{error}", error=str(error))
                    self._process.send(signal.SIGKILL)
            else:
                log.info("{title} serves again", title=self._engine.title)

    async def _wait(self, seconds: float, process: Process | None = None) -> None:
        """Let that time pass, or less if the process ends meanwhile or the pause is cut short."""
        pause = self._pause = deferLater(self._reactor, seconds)
        end = process.ended().addCallback(lambda _: pause.cancel()) if process is not None else None
        try:
            await pause
        except CancelledError:
            return
        finally:
            self._pause = None
            if end is not None:
                end.addErrback(lambda failure: failure.trap(CancelledError))
                end.cancel()

    def _failure(self, what: str, process: Process | None = None) -> StartError:
        traces = self._engine.traces
        line = traces.error_line(process.log_start) if process is not None else ""
        said = f": {line}" if line else ""
        kind = PortTaken if process is not None and traces.tell_of_a_port(process.log_start) else StartError
        return kind(f"{self._engine.title} {what}{said} (log: {traces.log})")
