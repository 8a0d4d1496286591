"""Blocking calls: in threads, at most so many, and never a queue that grows."""

import threading
from collections.abc import Callable
from queue import Queue
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.threads import Threads
from messenger.wire.errors import Code, Problem

LONG = 30  # seconds until a test that hangs gives up


class Reactor:
    """What threads want done in the reactor's thread is done when the test says so."""

    def __init__(self) -> None:
        self.calls: Queue[tuple[Callable[..., object], tuple[Any, ...]]] = Queue()

    def callFromThread(self, function: Callable[..., object], *args: Any) -> None:
        self.calls.put((function, args))

    def turn(self) -> None:
        """Wait for the next call, and make it."""
        function, args = self.calls.get(timeout=LONG)
        function(*args)


class ThreadsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.gate = threading.Event()
        self.began = threading.Semaphore(0)
        self.ran: list[str] = []
        self.threads = Threads(self.reactor, "test", 2, 3)
        self.successResultOf(ensureDeferred(self.threads.start()))
        self.calls: list[Deferred[str]] = []
        self.addCleanup(self.end)

    def end(self) -> None:
        self.gate.set()
        self.stop()
        for call in self.calls:
            call.addErrback(lambda _: None)  # what waited at the stop

    def stop(self) -> None:
        stopped = ensureDeferred(self.threads.stop())
        while not stopped.called:
            self.reactor.turn()
        self.successResultOf(stopped)

    def work(self, name: str) -> str:
        self.began.release()
        self.gate.wait(LONG)
        self.ran.append(name)
        return name

    def ask(self, name: str) -> Deferred[str]:
        call = ensureDeferred(self.threads.run(self.work, name))
        self.calls.append(call)
        return call

    def begin(self, *names: str) -> list[Deferred[str]]:
        """Calls that go on until the gate opens; returns once threads have taken all they can."""
        calls = [self.ask(name) for name in names]
        for _ in names[:2]:
            self.assertTrue(self.began.acquire(timeout=LONG))
        return calls

    def refusal(self, call: Deferred[Any]) -> Problem:
        problem = self.failureResultOf(call, Problem).value
        self.assertIs(problem.code, Code.unavailable)
        return problem

    def test_the_result_comes_back_from_another_thread(self) -> None:
        answer = ensureDeferred(self.threads.run(threading.get_ident))
        self.assertNoResult(answer)
        self.reactor.turn()
        self.assertNotEqual(self.successResultOf(answer), threading.get_ident())
        self.assertEqual(self.threads.taken, 0)

    def test_arguments(self) -> None:
        answer = ensureDeferred(self.threads.run(dict, [("a", 1)], b=2))
        self.reactor.turn()
        self.assertEqual(self.successResultOf(answer), {"a": 1, "b": 2})

    def test_what_a_call_raises_comes_back_too(self) -> None:
        answer = ensureDeferred(self.threads.run(int, "x"))
        self.reactor.turn()
        self.failureResultOf(answer, ValueError)
        self.assertEqual(self.threads.taken, 0)

    def test_the_queue_is_bounded(self) -> None:
        calls = self.begin("1", "2", "3", "4", "5")
        self.assertEqual(self.threads.taken, 5)
        problem = self.refusal(self.ask("6"))
        self.assertEqual(problem.retry_after, 2)
        self.gate.set()
        for _ in calls:
            self.reactor.turn()
        self.assertEqual([self.successResultOf(call) for call in calls], ["1", "2", "3", "4", "5"])
        self.assertEqual(self.threads.taken, 0)
        self.assertNotIn("6", self.ran)

    def test_one_that_ends_makes_room_for_one(self) -> None:
        self.begin("1", "2", "3", "4", "5")
        self.gate.set()
        self.reactor.turn()
        self.ask("6")
        self.refusal(self.ask("7"))

    def test_who_leaves_makes_no_room(self) -> None:
        """Else whoever asks and leaves, over and over, fills the queue without end."""
        calls = self.begin("1", "2", "3", "4", "5")
        for call in calls:
            call.cancel()
            self.failureResultOf(call, CancelledError)
        self.assertEqual(self.threads.taken, 5)
        self.refusal(self.ask("6"))
        self.gate.set()
        for _ in calls:
            self.reactor.turn()
        self.assertEqual(self.threads.taken, 0)

    def test_a_failure_that_nobody_waits_for_is_no_error(self) -> None:
        def fail() -> None:
            self.gate.wait(LONG)
            raise ValueError("nobody asks any more")

        call = ensureDeferred(self.threads.run(fail))
        call.cancel()
        self.failureResultOf(call, CancelledError)
        self.gate.set()
        self.reactor.turn()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_stop_waits_for_what_runs_and_refuses_what_waits(self) -> None:
        calls = self.begin("1", "2", "3", "4", "5")
        pool_stop = self.threads._pool.stop

        def stop_the_pool() -> None:
            self.gate.set()
            pool_stop()

        self.patch(self.threads._pool, "stop", stop_the_pool)
        self.stop()
        self.assertEqual([self.successResultOf(call) for call in calls[:2]], ["1", "2"])
        for call in calls[2:]:
            self.refusal(call)
        self.assertEqual(sorted(self.ran), ["1", "2"])
        self.refusal(self.ask("6"))

    def test_stop_does_not_block(self) -> None:
        """A call that hangs must not keep the reactor from noticing that the stop takes too long."""
        self.begin("1")
        stopped = ensureDeferred(self.threads.stop())
        self.assertNoResult(stopped)
        self.gate.set()
        while not stopped.called:
            self.reactor.turn()
        self.successResultOf(stopped)
