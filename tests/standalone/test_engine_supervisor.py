"""One engine, kept running: on a clock, with a process that does as it is told."""

import signal
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.lifecycle import StartError
from messenger.standalone.engines import supervisor
from messenger.standalone.engines.process import Command, Traces
from messenger.standalone.engines.supervisor import Supervisor


class FakeProcess:
    """Ends by the signals in `fatal`, or by `end`."""

    def __init__(self, pid: int, fatal: set[int], log_start: int) -> None:
        self.pid: int | None = pid
        self.exit: str | None = None
        self.log_start = log_start
        self.signals: list[int] = []
        self._fatal = fatal
        self._waiting: list[Deferred[None]] = []

    def send(self, number: int) -> None:
        self.signals.append(number)
        if number in self._fatal:
            self.end(f"signal {signal.Signals(number).name}")

    def end(self, exit: str) -> None:
        self.exit, self.pid = exit, None
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def ended(self) -> Deferred[None]:
        done: Deferred[None] = Deferred(self._waiting.remove)
        if self.exit is None:
            self._waiting.append(done)
        else:
            done.callback(None)
        return done


class FakeLauncher:
    def __init__(self) -> None:
        self.fatal = {int(signal.SIGTERM), int(signal.SIGKILL)}
        self.processes: list[FakeProcess] = []

    def start(self, command: Command, traces: Traces) -> FakeProcess:
        start = traces.log.stat().st_size if traces.log.exists() else 0
        self.processes.append(FakeProcess(len(self.processes) + 1, self.fatal, start))
        return self.processes[-1]


class FakeEngine:
    title = "Engine"
    ladder = ((signal.SIGTERM, 3.0), (signal.SIGQUIT, 0.5))

    def __init__(self, directory: Path) -> None:
        self.traces = Traces(directory / "engine.log", directory / "engine.pid")
        self.answer = False
        self.prepared = 0
        self.tidied = 0

    async def prepare(self) -> None:
        self.prepared += 1

    def command(self) -> Command:
        return Command(("engine",), Path("/"))

    async def serves(self) -> bool:
        return self.answer

    def tidy(self) -> None:
        self.tidied += 1


class SupervisorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.launcher = FakeLauncher()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.engine = FakeEngine(Path(directory.name))
        launcher: Any = self.launcher
        self.supervisor = Supervisor(self.clock, launcher, self.engine)

    def process(self) -> FakeProcess:
        return self.launcher.processes[-1]

    def serving(self) -> None:
        self.engine.answer = True
        self.successResultOf(ensureDeferred(self.supervisor.start()))

    def pass_time(self, seconds: float) -> None:
        self.clock.pump([0.05] * round(seconds / 0.05))

    def test_a_start_returns_when_the_engine_serves_and_not_before(self) -> None:
        started = ensureDeferred(self.supervisor.start())
        self.pass_time(5)
        self.assertNoResult(started)
        self.engine.answer = True
        self.pass_time(0.1)
        self.successResultOf(started)
        assert self.supervisor.pid == 1

    def test_an_engine_that_ends_at_once_fails_the_start_with_its_last_words(self) -> None:
        self.engine.traces.log.write_text("FATAL: of last time\n")
        started = ensureDeferred(self.supervisor.start())
        with self.engine.traces.log.open("a") as log:
            log.write("starting\nFATAL: no room\n\n")
        self.process().end("status 1")
        error = self.failureResultOf(started, StartError).getErrorMessage()
        assert (
            error
            == f"Engine ended before it served (status 1): FATAL: no room (log: {self.engine.traces.log})"
        )
        assert self.clock.getDelayedCalls() == []

    def test_words_of_an_earlier_start_are_not_taken_for_its_own(self) -> None:
        self.engine.traces.log.write_text("FATAL: of last time\n")
        started = ensureDeferred(self.supervisor.start())
        self.process().end("status 1")
        assert "last time" not in self.failureResultOf(started, StartError).getErrorMessage()

    def test_an_engine_that_never_serves_is_ended_after_a_minute(self) -> None:
        started = ensureDeferred(self.supervisor.start())
        self.pass_time(supervisor.START_SECONDS + 1)
        assert "did not serve within 60 s" in self.failureResultOf(started, StartError).getErrorMessage()
        assert self.process().exit is not None

    def test_an_engine_that_ends_is_started_again(self) -> None:
        self.serving()
        self.process().end("signal SIGKILL")
        assert self.supervisor.pid is None
        self.pass_time(0.2)
        assert self.supervisor.pid == 2
        assert self.engine.prepared == 2

    def test_the_pauses_double_up_to_a_bound(self) -> None:
        self.serving()
        pauses = []
        for _ in range(10):
            self.process().end("status 1")
            (call,) = self.clock.getDelayedCalls()
            pauses.append(round(call.getTime() - self.clock.seconds(), 3))
            self.clock.advance(pauses[-1])
        assert pauses[:5] == [0.1, 0.2, 0.4, 0.8, 1.6]
        assert pauses[-2:] == [supervisor.LONGEST_PAUSE] * 2

    def test_a_minute_of_running_makes_the_pause_short_again(self) -> None:
        self.serving()
        for _ in range(5):
            self.process().end("status 1")
            self.pass_time(3)
        self.clock.advance(supervisor.STABLE)
        count = len(self.launcher.processes)
        self.process().end("status 1")
        self.clock.advance(supervisor.FIRST_PAUSE)
        assert len(self.launcher.processes) == count + 1

    def test_a_stop_is_kind_first(self) -> None:
        self.serving()
        self.successResultOf(ensureDeferred(self.supervisor.stop()))
        assert self.process().signals == [signal.SIGTERM]
        assert self.engine.tidied == 1
        assert self.clock.getDelayedCalls() == []

    def test_a_stop_goes_down_the_ladder(self) -> None:
        self.launcher.fatal = {int(signal.SIGKILL)}
        self.serving()
        stopped = ensureDeferred(self.supervisor.stop())
        self.clock.advance(2.9)
        assert self.process().signals == [signal.SIGTERM]
        self.clock.advance(0.2)
        assert self.process().signals == [signal.SIGTERM, signal.SIGQUIT]
        self.clock.advance(0.5)
        self.successResultOf(stopped)
        assert self.process().signals[2:] == [signal.SIGKILL]

    def test_what_was_stopped_is_not_started_again(self) -> None:
        self.serving()
        self.successResultOf(ensureDeferred(self.supervisor.stop()))
        self.pass_time(120)
        assert len(self.launcher.processes) == 1

    def test_a_stop_in_the_pause_before_a_restart(self) -> None:
        self.serving()
        self.process().end("status 1")
        self.successResultOf(ensureDeferred(self.supervisor.stop()))
        self.pass_time(120)
        assert len(self.launcher.processes) == 1

    def test_a_stop_while_it_starts(self) -> None:
        started = ensureDeferred(self.supervisor.start())
        self.successResultOf(ensureDeferred(self.supervisor.stop()))
        self.failureResultOf(started, StartError)
        assert self.process().exit is not None

    def test_a_second_start_after_a_stop(self) -> None:
        self.serving()
        self.successResultOf(ensureDeferred(self.supervisor.stop()))
        self.successResultOf(ensureDeferred(self.supervisor.start()))
        assert self.supervisor.pid == 2
