"""Waiting with an end, and meeting asyncio."""

import asyncio
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.waits import from_asyncio, pause, shield, within


class ShieldTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.inner: Deferred[str] = Deferred()
        self.ended: list[str] = []

    async def work(self) -> str:
        found = await self.inner
        self.ended.append(found)
        return found

    def test_what_the_work_gives_and_raises(self) -> None:
        waiting = ensureDeferred(shield(self.work()))
        self.inner.callback("done")
        self.assertEqual(self.successResultOf(waiting), "done")
        self.inner = Deferred()
        waiting = ensureDeferred(shield(self.work()))
        self.inner.errback(KeyError("no"))
        self.failureResultOf(waiting, KeyError)

    def test_the_work_goes_on_where_who_waits_is_cancelled(self) -> None:
        waiting = ensureDeferred(shield(self.work()))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.inner.callback("done")
        self.assertEqual(self.ended, ["done"])


class WithinTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.cancelled = 0
        self.inner: Deferred[str] = Deferred(self.cancel)

    def cancel(self, _inner: Deferred[str]) -> None:
        self.cancelled += 1

    def waiting(self, seconds: float = 2) -> Deferred[str]:
        return ensureDeferred(within(self.clock, seconds, self.inner))

    def test_a_result_in_time(self) -> None:
        answer = self.waiting()
        self.clock.advance(1.9)
        self.inner.callback("x")
        self.assertEqual(self.successResultOf(answer), "x")
        self.assertEqual((self.clock.getDelayedCalls(), self.cancelled), ([], 0))

    def test_a_failure_in_time(self) -> None:
        answer = self.waiting()
        self.inner.errback(KeyError("x"))
        self.failureResultOf(answer, KeyError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_late(self) -> None:
        answer = self.waiting()
        self.clock.advance(2)
        failure = self.failureResultOf(answer, TimeoutError)
        self.assertIn("2 s", str(failure.value))
        self.assertEqual(self.cancelled, 1)

    def test_cancelled_from_outside_is_no_timeout(self) -> None:
        answer = self.waiting()
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual((self.clock.getDelayedCalls(), self.cancelled), ([], 1))

    def test_what_it_says_when_it_is_cancelled_counts(self) -> None:
        """A call that turns its cancellation into a result or an error of its own is believed."""

        async def stubborn() -> str:
            try:
                await self.inner
            except CancelledError:
                return "done all the same"
            raise AssertionError

        answer = ensureDeferred(within(self.clock, 2, stubborn()))
        self.clock.advance(2)
        self.assertEqual(self.successResultOf(answer), "done all the same")

    def test_a_coroutine(self) -> None:
        async def two() -> int:
            return 2

        self.assertEqual(self.successResultOf(ensureDeferred(within(self.clock, 1, two()))), 2)


class PauseTests(SynchronousTestCase):
    def test_it_ends(self) -> None:
        clock = Clock()
        waiting = ensureDeferred(pause(clock, 3))
        clock.advance(2.9)
        self.assertNoResult(waiting)
        clock.advance(0.1)
        self.successResultOf(waiting)

    def test_cancelling_leaves_no_call_behind(self) -> None:
        clock = Clock()
        waiting = ensureDeferred(pause(clock, 3))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(clock.getDelayedCalls(), [])


class AsyncioTests(SynchronousTestCase):
    """Inside a running loop, as under the reactor; nothing here waits for time to pass."""

    def in_loop(self, test: Callable[[asyncio.AbstractEventLoop], Any]) -> None:
        async def main() -> None:
            await test(asyncio.get_running_loop())

        asyncio.run(main())

    def test_result(self) -> None:
        async def test(loop: asyncio.AbstractEventLoop) -> None:
            future: asyncio.Future[int] = loop.create_future()

            async def foreign() -> int:
                return await future + 1

            answer = ensureDeferred(from_asyncio(foreign()))
            self.assertNoResult(answer)
            future.set_result(1)
            self.assertEqual(await answer.asFuture(loop), 2)

        self.in_loop(test)

    def test_failure(self) -> None:
        async def test(loop: asyncio.AbstractEventLoop) -> None:
            async def foreign() -> None:
                raise KeyError("x")

            with self.assertRaises(KeyError):
                await ensureDeferred(from_asyncio(foreign())).asFuture(loop)

        self.in_loop(test)

    def test_cancelling_reaches_the_task(self) -> None:
        async def test(loop: asyncio.AbstractEventLoop) -> None:
            seen: list[str] = []
            began = asyncio.Event()

            async def foreign() -> None:
                began.set()
                try:
                    await loop.create_future()
                except asyncio.CancelledError:
                    seen.append("cancelled")
                    raise

            answer = ensureDeferred(from_asyncio(foreign()))
            ended: asyncio.Future[object] = loop.create_future()
            answer.addBoth(ended.set_result)
            await began.wait()
            answer.cancel()
            failure: Any = await ended
            self.assertEqual(seen, ["cancelled"])
            # Twisted's own kind: `except Exception` and `within` know it, asyncio's would pass them by.
            self.assertIs(failure.type, CancelledError)

        self.in_loop(test)

    def test_a_timeout_around_it(self) -> None:
        async def test(loop: asyncio.AbstractEventLoop) -> None:
            clock = Clock()
            began = asyncio.Event()

            async def foreign() -> None:
                began.set()
                await loop.create_future()

            answer = ensureDeferred(within(clock, 1, from_asyncio(foreign())))
            ended: asyncio.Future[object] = loop.create_future()
            answer.addBoth(ended.set_result)
            await began.wait()
            clock.advance(1)
            failure: Any = await ended
            self.assertIs(failure.type, TimeoutError)

        self.in_loop(test)

    def test_a_task_that_somebody_else_cancels(self) -> None:
        async def test(loop: asyncio.AbstractEventLoop) -> None:
            future: asyncio.Future[None] = loop.create_future()

            async def foreign() -> None:
                await future

            answer = ensureDeferred(from_asyncio(foreign()))
            ended: asyncio.Future[object] = loop.create_future()
            answer.addBoth(ended.set_result)
            future.cancel()
            failure: Any = await ended
            self.assertIs(failure.type, CancelledError)

        self.in_loop(test)
