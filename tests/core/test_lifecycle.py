"""Start in order, stop in the reverse order; whatever fails ends the process with one line and a status."""

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core import lifecycle
from messenger.core.lifecycle import EX_CONFIG, STOP_SECONDS, Lifecycle, Ordered, Part, StartError


class Reactor(Clock):
    """A clock that runs, and counts how often it is told to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = 0

    def callWhenRunning(self, function: Callable[..., object], *args: object) -> None:
        function(*args)

    def stop(self) -> None:
        self.stopped += 1


class Piece:
    """A part that writes down what happens to it, and starts and stops when the test says so."""

    def __init__(self, name: str, diary: list[str]) -> None:
        self.name = name
        self.diary = diary
        self.grace = 0.0
        self.starting: Deferred[None] | None = None
        self.stopping: Deferred[None] | None = None
        self.start_error: Exception | None = None
        self.stop_error: Exception | None = None

    async def start(self) -> None:
        self.diary.append(f"start {self.name}")
        if self.start_error is not None:
            raise self.start_error
        if self.starting is not None:
            await self.starting
        self.diary.append(f"{self.name} runs")

    async def stop(self) -> None:
        self.diary.append(f"stop {self.name}")
        if self.stop_error is not None:
            raise self.stop_error
        if self.stopping is not None:
            await self.stopping
        self.diary.append(f"{self.name} ended")


class Base(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.diary: list[str] = []
        self.a, self.b, self.c = (Piece(name, self.diary) for name in "abc")

    def ordered(self) -> Ordered:
        return Ordered(self.reactor, [self.a, self.b, self.c])


class OrderTests(Base):
    def test_parts_start_in_order_and_stop_in_reverse(self) -> None:
        ordered = self.ordered()
        self.successResultOf(ensureDeferred(ordered.start()))
        self.assertEqual(self.diary, ["start a", "a runs", "start b", "b runs", "start c", "c runs"])
        self.diary.clear()
        self.successResultOf(ensureDeferred(ordered.stop()))
        self.assertEqual(self.diary, ["stop c", "c ended", "stop b", "b ended", "stop a", "a ended"])

    def test_a_part_waits_for_the_one_before(self) -> None:
        self.a.starting = Deferred()
        started = ensureDeferred(self.ordered().start())
        self.assertEqual(self.diary, ["start a"])
        self.assertNoResult(started)
        self.a.starting.callback(None)
        self.successResultOf(started)
        self.assertEqual(self.diary[-1], "c runs")

    def test_each_stops_only_after_the_one_behind_it(self) -> None:
        ordered = self.ordered()
        self.successResultOf(ensureDeferred(ordered.start()))
        self.diary.clear()
        self.c.stopping = Deferred()
        stopped = ensureDeferred(ordered.stop())
        self.assertEqual(self.diary, ["stop c"])
        self.c.stopping.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.diary[-1], "a ended")

    def test_a_second_stop_finds_nothing_to_do(self) -> None:
        ordered = self.ordered()
        self.successResultOf(ensureDeferred(ordered.start()))
        self.successResultOf(ensureDeferred(ordered.stop()))
        self.diary.clear()
        self.successResultOf(ensureDeferred(ordered.stop()))
        self.assertEqual(self.diary, [])

    def test_parts_may_be_built_when_it_is_time(self) -> None:
        class Late(Ordered):
            async def build(self) -> Sequence[Part]:
                await self._start(outer.a)
                return [outer.b]

        outer = self
        late = Late(self.reactor)
        self.successResultOf(ensureDeferred(late.start()))
        self.successResultOf(ensureDeferred(late.stop()))
        self.assertEqual(
            self.diary,
            ["start a", "a runs", "start b", "b runs", "stop b", "b ended", "stop a", "a ended"],
        )


class FailedStartTests(Base):
    def test_what_ran_before_the_failure_is_stopped(self) -> None:
        self.c.start_error = StartError("the port is taken", 7)
        failed = self.failureResultOf(ensureDeferred(self.ordered().start()), StartError)
        self.assertEqual((str(failed.value), failed.value.status), ("the port is taken", 7))
        # c itself never ran, so it is not stopped.
        self.assertEqual(
            self.diary,
            [
                "start a",
                "a runs",
                "start b",
                "b runs",
                "start c",
                "stop b",
                "b ended",
                "stop a",
                "a ended",
            ],
        )

    def test_a_failure_nobody_foresaw_names_the_part_and_is_logged(self) -> None:
        self.b.start_error = KeyError("x")
        failed = self.failureResultOf(ensureDeferred(self.ordered().start()), StartError)
        self.assertIn("Piece could not start", str(failed.value))
        self.assertEqual(failed.value.status, 1)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertEqual(self.diary[-1], "a ended")

    def test_a_start_that_is_cancelled_stops_what_runs(self) -> None:
        self.b.starting = Deferred()
        started = ensureDeferred(self.ordered().start())
        started.cancel()
        self.failureResultOf(started, CancelledError)
        self.assertEqual(self.diary, ["start a", "a runs", "start b", "stop a", "a ended"])

    def test_a_failing_stop_does_not_hide_why_the_start_failed(self) -> None:
        self.a.stop_error = RuntimeError("stuck")
        self.b.start_error = StartError("the port is taken")
        failed = self.failureResultOf(ensureDeferred(self.ordered().start()), StartError)
        self.assertEqual(str(failed.value), "the port is taken")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class BoundedStopTests(Base):
    def test_a_part_that_fails_to_stop_does_not_keep_the_others(self) -> None:
        ordered = self.ordered()
        self.successResultOf(ensureDeferred(ordered.start()))
        self.b.stop_error = RuntimeError("stuck")
        self.diary.clear()
        self.successResultOf(ensureDeferred(ordered.stop()))
        self.assertEqual(self.diary, ["stop c", "c ended", "stop b", "stop a", "a ended"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_parts_that_never_end_share_the_time(self) -> None:
        ordered = self.ordered()
        self.successResultOf(ensureDeferred(ordered.start()))
        for piece in (self.a, self.b, self.c):
            piece.stopping = Deferred()
        stopped = ensureDeferred(ordered.stop())
        self.reactor.pump([0.1] * int(STOP_SECONDS * 10 - 2))
        self.assertNoResult(stopped)
        self.reactor.pump([0.1] * 4)
        self.successResultOf(stopped)
        self.assertEqual(
            [line for line in self.diary if line.startswith("stop")], ["stop c", "stop b", "stop a"]
        )
        self.assertEqual(len(self.flushLoggedErrors(TimeoutError)), 3)

    def test_time_that_one_part_leaves_is_the_others(self) -> None:
        ordered = self.ordered()
        self.successResultOf(ensureDeferred(ordered.start()))
        self.a.stopping = Deferred()
        stopped = ensureDeferred(ordered.stop())
        self.reactor.advance(STOP_SECONDS - 0.1)
        self.assertNoResult(stopped)
        self.a.stopping.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.diary[-1], "a ended")

    def test_a_part_that_drains_has_that_time_on_top(self) -> None:
        self.b.grace = 60.0
        ordered = self.ordered()
        self.successResultOf(ensureDeferred(ordered.start()))
        for piece in (self.a, self.b):
            piece.stopping = Deferred()
        stopped = ensureDeferred(ordered.stop())
        self.reactor.pump([1.0] * 64)
        self.assertNotIn("stop a", self.diary)
        self.reactor.pump([0.1] * int((STOP_SECONDS + 60 - 64) * 10 - 2))
        self.assertIn("stop a", self.diary)
        self.assertNoResult(stopped)
        self.reactor.pump([0.1] * 4)
        self.successResultOf(stopped)
        self.assertEqual(len(self.flushLoggedErrors(TimeoutError)), 2)

    def test_late_parts_still_get_a_moment(self) -> None:
        """What has used up the time must not keep the rest from being told."""
        many = [Piece(str(number), self.diary) for number in range(40)]
        ordered = Ordered(self.reactor, many)
        self.successResultOf(ensureDeferred(ordered.start()))
        for piece in many:
            piece.stopping = Deferred()
        stopped = ensureDeferred(ordered.stop())
        self.reactor.pump([0.25] * 100)
        self.successResultOf(stopped)
        self.assertEqual(sum(line.startswith("stop") for line in self.diary), 40)
        self.assertEqual(len(self.flushLoggedErrors(TimeoutError)), 40)


class LifecycleTests(Base):
    def setUp(self) -> None:
        super().setUp()
        self.said: list[str] = []
        self.statuses: list[int] = []
        self.signals: dict[int, Any] = {}
        self.ready = 0
        self.patch(lifecycle, "say", self.said.append)
        self.patch(lifecycle, "exit_with", self.statuses.append)
        self.patch(signal, "signal", self.signals.__setitem__)

    def lifecycle(self, part: Part | None = None) -> Lifecycle:
        def ready() -> None:
            self.ready += 1

        return Lifecycle(self.reactor, part or self.ordered(), ready)

    def test_ready_is_told_once_all_runs(self) -> None:
        self.c.starting = Deferred()
        running = self.lifecycle()
        running.startService()
        self.assertEqual(self.ready, 0)
        self.c.starting.callback(None)
        self.assertEqual(self.ready, 1)
        self.successResultOf(running.stopService())
        self.assertEqual(self.diary[-1], "a ended")
        self.assertEqual((self.said, self.statuses, self.reactor.stopped), ([], [], 0))

    def test_a_failed_start_ends_the_process_with_its_line_and_status(self) -> None:
        self.b.start_error = StartError("[gateway] listen is no endpoint", EX_CONFIG)
        running = self.lifecycle()
        running.startService()
        self.assertEqual(self.said, ["[gateway] listen is no endpoint"])
        self.assertEqual(self.statuses, [78])
        self.assertEqual((self.reactor.stopped, self.ready), (1, 0))
        self.assertEqual(self.diary[-1], "a ended")
        self.diary.clear()
        self.successResultOf(running.stopService())  # the reactor's answer to its stop
        self.assertEqual(self.diary, [])

    def test_a_part_that_can_not_be_built_ends_the_process(self) -> None:
        class Broken(Ordered):
            async def build(self) -> Sequence[Part]:
                raise LookupError("no such plugin")

        running = self.lifecycle(Broken(self.reactor))
        running.startService()
        self.assertEqual((len(self.said), self.statuses, self.reactor.stopped), (1, [1], 1))
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_a_part_that_gives_up_by_itself_ends_the_process(self) -> None:
        """A start that is cancelled though nobody stops the process has failed like any other."""
        self.b.start_error = CancelledError()
        self.lifecycle().startService()
        self.assertEqual((len(self.said), self.statuses, self.reactor.stopped), (1, [1], 1))
        self.flushLoggedErrors(CancelledError)

    def test_stop_during_the_start_waits_until_what_runs_has_stopped(self) -> None:
        """The reactor ends as soon as this Deferred fires: engines must not be left behind."""
        self.b.starting, self.a.stopping = Deferred(), Deferred()
        running = self.lifecycle()
        running.startService()
        stopped = running.stopService()
        self.assertEqual(self.diary, ["start a", "a runs", "start b", "stop a"])
        self.assertNoResult(stopped)
        self.a.stopping.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.diary[-1], "a ended")
        self.assertEqual((self.said, self.statuses, self.ready), ([], [], 0))

    def test_stop_during_the_start_is_bounded_too(self) -> None:
        self.b.starting, self.a.stopping = Deferred(), Deferred()
        running = self.lifecycle()
        running.startService()
        stopped = running.stopService()
        self.reactor.advance(STOP_SECONDS)
        self.successResultOf(stopped)
        self.flushLoggedErrors(TimeoutError)

    def test_a_start_that_ends_in_spite_of_the_stop_is_undone(self) -> None:
        diary = self.diary

        class Stubborn(Piece):
            async def start(self) -> None:
                try:
                    await Deferred()
                except CancelledError:
                    diary.append("started all the same")

        running = self.lifecycle(Stubborn("s", self.diary))
        running.startService()
        self.successResultOf(running.stopService())
        self.assertEqual(self.diary, ["started all the same", "stop s", "s ended"])
        self.assertEqual(self.ready, 0)

    def test_stop_before_the_start(self) -> None:
        self.successResultOf(self.lifecycle().stopService())
        self.assertEqual(self.diary, [])

    def test_a_second_signal_is_final(self) -> None:
        exits: list[int] = []
        self.patch(lifecycle.os, "_exit", exits.append)
        running = self.lifecycle()
        running.startService()
        self.assertEqual(self.signals, {})
        self.successResultOf(running.stopService())
        self.assertEqual(set(self.signals), {signal.SIGINT, signal.SIGTERM})
        self.signals[signal.SIGINT](signal.SIGINT, None)
        self.signals[signal.SIGTERM](signal.SIGTERM, None)
        self.assertEqual(exits, [130, 143])


class ExitTests(SynchronousTestCase):
    def run_python(self, program: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
        )

    def test_the_process_ends_with_the_status(self) -> None:
        """`twist` itself would end with 0; what was written must get out all the same."""
        ended = self.run_python(
            "import sys; from messenger.core.lifecycle import exit_with, say; exit_with(78);"
            "sys.stdout.write('out'); say('a line')"
        )
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (78, "out", "messenger: a line\n"))
