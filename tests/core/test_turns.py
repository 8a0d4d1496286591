"""A turn comes back: whatever is thrown, cancelled or timed out, and however many wait."""

import ast
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import messenger
from messenger.core import part_buffers
from messenger.core.part_buffers import PART_FILL_SECONDS, PART_WAIT_SECONDS, PartBuffer
from messenger.core.turns import Shares, Turns
from messenger.core.waits import within
from messenger.wire.errors import Problem, unavailable

STEPS = ("ask", "patient", "answer", "throw", "cancel", "loop", "long")


class House:
    """Calls that each hold a turn while they wait for what the test answers."""

    def __init__(self, count: int) -> None:
        self.clock = Clock()
        self.turns = Turns(self.clock, count)
        self.under_way: list[Deferred[None]] = []
        self.calls: list[Deferred[None]] = []
        self.most = 0
        self.ends = 0

    def call(self, coroutine: Any) -> None:
        made = ensureDeferred(coroutine)
        self.calls.append(made)

        def ended(_result: object) -> None:
            self.ends += 1

        made.addBoth(ended)

    def happen(self, step: str, number: int) -> None:
        """What is no call: something is answered, fails or is given up, or time passes."""
        waiting = [one for one in self.calls if not one.called]
        if step == "answer" and self.under_way:
            self.under_way[number % len(self.under_way)].callback(None)
        elif step == "throw" and self.under_way:
            self.under_way[number % len(self.under_way)].errback(ValueError("the holder's own"))
        elif step == "cancel" and waiting:
            waiting[number % len(waiting)].cancel()
        elif step == "loop":
            self.clock.advance(0)
        elif step == "long":
            self.clock.advance(11)

    async def work(self) -> None:
        async with self.turns.turn():
            waiting: Deferred[None] = Deferred()
            self.under_way.append(waiting)
            self.most = max(self.most, len(self.under_way))
            try:
                await waiting
            finally:
                self.under_way.remove(waiting)


class TurnsTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9)), max_size=60))
    def test_every_turn_comes_back(self, steps: list[tuple[str, int]]) -> None:
        house = House(3)
        for step, number in steps:
            if step == "ask":
                house.call(house.work())
            elif step == "patient":
                house.call(within(house.clock, 10.0, house.work()))
            else:
                house.happen(step, number)
            self.assertEqual(house.turns.free + len(house.under_way), 3)
        for _ in range(len(steps) + 1):
            for one in list(house.under_way):
                one.callback(None)
            house.clock.advance(0)
        self.assertEqual((house.turns.free, house.turns.waiting), (3, 0))
        self.assertEqual(house.ends, len(house.calls))
        self.assertLessEqual(house.most, 3)

    def test_who_waits_is_served_in_order(self) -> None:
        house, order = House(1), []

        async def note(number: int) -> None:
            async with house.turns.turn():
                order.append(number)

        house.call(house.work())
        for number in range(5):
            house.call(note(number))
        house.under_way[0].callback(None)
        self.assertEqual(order, [])
        for _ in range(5):
            house.clock.advance(0)
        self.assertEqual(order, list(range(5)))

    def test_a_long_queue_that_fails_at_once_does_not_nest(self) -> None:
        # The backlogs of a server full of sockets, whose database goes away.
        house = House(8)

        async def fail() -> None:
            async with house.turns.turn():
                raise unavailable("The database is away.")

        for _ in range(8):
            house.call(house.work())
        for _ in range(2_000):
            house.call(fail())
        for one in list(house.under_way):
            one.callback(None)
        for _ in range(2_000):
            house.clock.advance(0)
        self.assertEqual((house.turns.free, house.turns.waiting), (8, 0))
        self.assertEqual(house.ends, len(house.calls))

    def test_no_other_semaphore_hands_on_inside_its_release(self) -> None:
        """Twisted's own locks and queues do; nobody here uses them."""
        for path in Path(messenger.__file__).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module == "twisted.internet.defer":
                    names = {one.name for one in node.names}
                    self.assertFalse(names & {"DeferredSemaphore", "DeferredLock", "DeferredQueue"}, path)


class SharesTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from((*STEPS, "rest")), st.integers(0, 9)), max_size=60))
    def test_every_turn_of_everybody_comes_back(self, steps: list[tuple[str, int]]) -> None:
        house = Houses()
        for step, number in steps:
            if step in ("ask", "rest"):
                house.call(house.work("abc"[number % 3], 5.0 if step == "rest" else 0.0))
            elif step == "patient":
                house.call(within(house.clock, 10.0, house.work("abc"[number % 3], 0.0)))
            else:
                house.happen(step, number)
        for _ in range(len(steps) + 1):
            for one in list(house.under_way):
                one.callback(None)
            house.clock.advance(6)
            house.clock.advance(0)
        self.assertEqual((len(house.shares), house.under_way), (0, []))
        self.assertEqual(house.ends, len(house.calls))
        self.assertTrue(all(most <= 2 for most in house.most.values()))

    def test_nobody_waits_behind_another(self) -> None:
        house = Houses()
        for _ in range(6):
            house.call(house.work("a", 0.0))
        house.call(house.work("b", 0.0))
        self.assertEqual((house.now["a"], house.now["b"]), (2, 1))

    def test_one_too_many_is_refused(self) -> None:
        house = Houses()
        for _ in range(2 + 5):
            house.call(house.work("a", 0.0))
        self.failureResultOf(ensureDeferred(house.shares.take("a")), Problem)

    def test_who_rests_has_its_turn_until_then(self) -> None:
        house = Houses()
        for _ in range(3):
            house.call(house.work("a", 5.0))
        for one in list(house.under_way):
            one.callback(None)
        house.clock.advance(4)
        self.assertEqual(house.under_way, [])
        house.clock.advance(1)
        house.clock.advance(0)
        self.assertEqual(len(house.under_way), 1)


class Houses(House):
    """The same for several subjects."""

    def __init__(self) -> None:
        super().__init__(0)
        self.shares = Shares(self.clock, 2, 5)
        self.now: dict[str, int] = {}
        self.most: dict[str, int] = {}

    async def work(self, subject: str = "", rest: float = 0.0) -> None:
        await self.shares.take(subject)
        self.now[subject] = self.now.get(subject, 0) + 1
        self.most[subject] = max(self.most.get(subject, 0), self.now[subject])
        waiting: Deferred[None] = Deferred()
        self.under_way.append(waiting)
        try:
            await waiting
        finally:
            self.under_way.remove(waiting)
            self.now[subject] -= 1
            self.shares.give_back(subject, rest)


class Body:
    """A client's body, which brings chunks, ends or breaks off when the test says so."""

    def __init__(self) -> None:
        self.wanted: Deferred[bytes | None] | None = None

    def __aiter__(self) -> "Body":
        return self

    async def __anext__(self) -> bytes:
        self.wanted = Deferred()
        try:
            chunk = await self.wanted
        finally:
            self.wanted = None
        if chunk is None:
            raise StopAsyncIteration
        return chunk


class PartBufferTests(SynchronousTestCase):
    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(("upload", "chunk", "end", "break", "stored", "refused", "cancel", "long")),
                st.integers(0, 9),
            ),
            max_size=60,
        )
    )
    def test_every_place_comes_back(self, steps: list[tuple[str, int]]) -> None:
        clock = Clock()
        places = Turns(clock, 2)
        bodies: list[Body] = []
        puts: list[Deferred[None]] = []
        calls: list[Deferred[Any]] = []
        ends: list[object] = []

        async def upload(body: Body) -> None:
            # As Blobs.put does it.
            async with PartBuffer(clock, places) as buffer:
                await buffer.fill(body)
                while buffer.size:
                    storing: Deferred[None] = Deferred()
                    puts.append(storing)
                    try:
                        await storing
                    finally:
                        puts.remove(storing)
                    buffer.release()
                    if not buffer.ended:
                        await buffer.fill(body)

        self.patch(part_buffers, "PART", 2)
        for step, number in steps:
            wanting = [one for one in bodies if one.wanted is not None]
            waiting = [one for one in calls if not one.called]
            if step == "upload":
                body = Body()
                bodies.append(body)
                call = ensureDeferred(upload(body))
                calls.append(call)
                call.addBoth(ends.append)
            elif step in ("chunk", "end", "break") and wanting:
                wanted = wanting[number % len(wanting)].wanted
                assert wanted is not None
                if step == "chunk":
                    wanted.callback(b"x")
                elif step == "end":
                    wanted.callback(None)
                else:
                    wanted.errback(ConnectionError("the client has left"))
            elif step == "stored" and puts:
                puts[number % len(puts)].callback(None)
            elif step == "refused" and puts:
                puts[number % len(puts)].errback(unavailable("S3"))
            elif step == "cancel" and waiting:
                waiting[number % len(waiting)].cancel()
            elif step == "long":
                clock.advance(PART_FILL_SECONDS + 1)
            clock.advance(0)
        for call in calls:
            call.cancel()
        clock.advance(PART_WAIT_SECONDS + 1)
        self.assertEqual((places.free, places.waiting), (2, 0))
        self.assertEqual(len(ends), len(calls))

    def test_those_whose_clients_have_left_do_not_nest(self) -> None:
        clock = Clock()
        places = Turns(clock, 1)

        async def gone() -> Any:
            yield b"x"
            raise ConnectionError("the client has left")

        async def upload() -> None:
            async with PartBuffer(clock, places) as buffer:
                await buffer.fill(gone())

        holder = PartBuffer(clock, places)
        self.successResultOf(ensureDeferred(places.take()))
        holder._held_since = 0.0
        calls = [ensureDeferred(upload()) for _ in range(part_buffers.PART_WAITERS)]
        self.failureResultOf(ensureDeferred(upload()), Problem)
        holder.release()
        for call in calls:
            clock.advance(0)
        for call in calls:
            self.failureResultOf(call, ConnectionError)
        self.assertEqual((places.free, places.waiting), (1, 0))
