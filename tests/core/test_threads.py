"""Blocking calls: in threads, at most so many, and never a queue that grows."""

import os
import sys
import threading
from collections.abc import Callable
from queue import Queue
from typing import Any
from unittest import skipUnless
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.threads import NICE, Threads
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

    def test_a_system_without_threads_costs_one_call_and_no_place(self) -> None:
        def none_left(*_: object) -> None:
            raise RuntimeError("can't start new thread")

        with patch.object(threading.Thread, "start", none_left):
            for _ in range(2 * self.threads.limit):
                self.refusal(self.ask("1"))
        self.assertEqual(self.threads.taken, 0)
        self.gate.set()
        answer = self.ask("2")
        self.reactor.turn()
        self.assertEqual(self.successResultOf(answer), "2")

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.sampled_from(("ask", "fail", "cancel", "turn")), max_size=40))
    def test_every_place_comes_back(self, steps: list[str]) -> None:
        reactor = Reactor()
        threads = Threads(reactor, "test", 2, 3)
        self.successResultOf(ensureDeferred(threads.start()))
        calls: list[Deferred[Any]] = []
        answered = 0
        for step in steps:
            if step in ("ask", "fail"):
                call = ensureDeferred(threads.run(int, "1" if step == "ask" else "x"))
                call.addErrback(lambda why: why.trap(CancelledError, Problem, ValueError))
                calls.append(call)
            elif step == "cancel" and calls:
                calls[-1].cancel()
            elif step == "turn" and threads.taken:
                reactor.turn()
                answered += 1
        while threads.taken:
            reactor.turn()
            answered += 1
        self.assertEqual(answered + threads.refused, len(calls))
        self.assertTrue(all(call.called for call in calls))
        stopped = ensureDeferred(threads.stop())
        while not stopped.called:
            reactor.turn()


@skipUnless(sys.platform == "linux", "elsewhere a thread has no priority of its own")
class YieldingTests(SynchronousTestCase):
    def test_only_these_threads_have_a_lower_priority(self) -> None:
        reactor = Reactor()
        threads = Threads(reactor, "test", 1, 1, yielding=True)
        self.successResultOf(ensureDeferred(threads.start()))
        before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

        def priority() -> int:
            return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

        asked = ensureDeferred(threads.run(priority))
        reactor.turn()
        self.assertEqual(self.successResultOf(asked), min(19, before + NICE))
        self.assertEqual(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), before)
        stopped = ensureDeferred(threads.stop())
        reactor.turn()
        self.successResultOf(stopped)
