"""Durable work: done once by one, tried again when it failed, found in the database when the bus lost it."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.bus.connection import BusAway
from messenger.core.periodic import Periodic
from messenger.core.work import AWAY_SECONDS, LOOK_SECONDS, Work
from messenger.wire.errors import unavailable
from messenger.wire.events import UserRemoval


class Piece:
    """A Job that tells how it went."""

    def __init__(self, user_id: str = "alice", tries: int = 1, payload: bytes | None = None) -> None:
        self.payload = b'{"user_id":"%s"}' % user_id.encode() if payload is None else payload
        self.tries = tries
        self.went: list[Any] = []

    async def done(self) -> None:
        self.went.append("done")

    async def again(self, delay: float) -> None:
        self.went.append(delay)


class Queue:
    """A bus whose pieces the test gives."""

    def __init__(self) -> None:
        self.pieces: list[Any] = []
        self.asked = 0
        self.waiting: Deferred[None] | None = None
        self.gap: Any = None

    def on_gap(self, listener: Any) -> None:
        self.gap = listener

    async def take(self, durable: str, subject: str) -> Any:
        self.asked += 1
        if not self.pieces:
            self.waiting = Deferred()
            await self.waiting
        found = self.pieces.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    def give(self, *pieces: Any) -> None:
        self.pieces += pieces
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            waiting.callback(None)


class WorkTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.queue = Clock(), Queue()
        self.did: list[str] = []
        self.looked = 0
        self.error: Exception | None = None
        self.hold: Deferred[None] | None = None
        bus: Any = self.queue
        self.work = Work(
            self.clock, bus, "key-remove-user", "messenger.work.x", UserRemoval, self.do, self.look
        )

    async def do(self, work: UserRemoval) -> None:
        self.did.append(work.user_id)
        if self.hold is not None:
            await self.hold
        if self.error is not None:
            raise self.error

    async def look(self) -> None:
        self.looked += 1

    def start(self) -> None:
        self.successResultOf(ensureDeferred(self.work.start()))

    def stop(self) -> None:
        self.successResultOf(ensureDeferred(self.work.stop()))

    def test_pieces_are_done_in_turn_and_acknowledged(self) -> None:
        one, other = Piece("alice"), Piece("bob")
        self.start()
        self.queue.give(one, None, other)
        self.assertEqual((self.did, one.went, other.went), (["alice", "bob"], ["done"], ["done"]))
        self.stop()

    def test_what_fails_comes_again_later_each_time(self) -> None:
        self.start()
        self.error = unavailable("The database is away.")
        pieces = [Piece(tries=tries) for tries in (1, 2, 3, 7, 500)]
        self.queue.give(*pieces)
        self.assertEqual([piece.went for piece in pieces], [[1.0], [2.0], [4.0], [60.0], [60.0]])
        self.error = ValueError("a bug")
        self.queue.give(bug := Piece())
        self.assertEqual(bug.went, [1.0])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.stop()

    def test_what_is_no_work_is_dropped(self) -> None:
        self.start()
        for payload in (b"", b"{}", b'{"user_id":7}', b"\xff"):
            self.queue.give(piece := Piece(payload=payload))
            self.assertEqual(piece.went, ["done"])
        self.assertEqual(self.did, [])
        self.stop()

    def test_while_nats_is_away_it_asks_now_and_then(self) -> None:
        self.start()
        self.queue.give(BusAway("away"))
        self.assertEqual(self.queue.asked, 1)
        self.queue.pieces.append(RuntimeError("odd"))
        self.clock.advance(AWAY_SECONDS)
        self.assertEqual(self.queue.asked, 2)
        self.clock.advance(AWAY_SECONDS)
        self.queue.give(piece := Piece())
        self.assertEqual(piece.went, ["done"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.stop()

    def test_the_database_is_looked_into_at_the_start_after_a_gap_and_now_and_then(self) -> None:
        self.queue.gap()
        self.assertEqual(self.looked, 0)
        self.start()
        self.assertEqual(self.looked, 1)
        self.queue.gap()
        self.assertEqual(self.looked, 2)
        self.clock.advance(LOOK_SECONDS)
        self.assertEqual(self.looked, 3)
        self.stop()
        self.queue.gap()
        self.assertEqual(self.looked, 3)

    def test_a_stop_lets_the_piece_under_way_end_and_waits_for_no_other(self) -> None:
        self.start()
        self.hold = Deferred()
        self.queue.give(piece := Piece())
        stopping = ensureDeferred(self.work.stop())
        self.assertNoResult(stopping)
        self.hold.callback(None)
        self.successResultOf(stopping)
        self.assertEqual((piece.went, self.queue.asked), (["done"], 1))

    def test_a_stop_while_nats_is_away(self) -> None:
        self.start()
        self.queue.give(BusAway("away"))
        self.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_piece_whose_end_can_not_be_told_does_not_end_the_work(self) -> None:
        class Deaf(Piece):
            async def done(self) -> None:
                raise OSError("the answer is on nobody's wire")

        self.start()
        self.queue.give(Deaf("alice"), Piece("bob"))
        self.assertEqual(self.did, ["alice", "bob"])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.stop()

    def test_a_question_that_the_bus_breaks_off_is_not_asked_without_end(self) -> None:
        self.queue.pieces = [CancelledError()] * 50
        self.start()
        self.assertEqual(self.queue.asked, 1)
        self.clock.advance(AWAY_SECONDS)
        self.assertEqual(self.queue.asked, 2)
        self.stop()


class PeriodicTests(SynchronousTestCase):
    def test_never_twice_at_a_time_and_once_more_where_asked_meanwhile(self) -> None:
        clock, calls = Clock(), list[Deferred[None]]()

        async def work() -> None:
            calls.append(Deferred())
            await calls[-1]

        periodic = Periodic(clock, 10.0, "test", work)
        periodic.soon()
        self.assertEqual(len(calls), 0)
        self.successResultOf(ensureDeferred(periodic.start()))
        clock.advance(10.0)
        self.assertEqual(len(calls), 1)
        periodic.soon()
        periodic.soon()
        calls[0].callback(None)
        self.assertEqual(len(calls), 2)
        calls[1].callback(None)
        clock.advance(10.0)
        self.assertEqual(len(calls), 3)
        periodic.soon()
        stopping = ensureDeferred(periodic.stop())
        self.assertNoResult(stopping)
        calls[2].callback(None)
        self.successResultOf(stopping)
        self.assertEqual(len(calls), 3)
        self.assertEqual(clock.getDelayedCalls(), [])
