"""The queue before the door."""

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.messages.openings import AT_ONCE, EVERY, MOST, RETRY_SECONDS, Openings
from messenger.wire.errors import Code, Problem


class OpeningsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.openings = Openings(self.clock)

    def come(self, count: int) -> list[Deferred[None]]:
        return [ensureDeferred(self.openings.turn()) for _ in range(count)]

    def let_in(self, coming: list[Deferred[None]]) -> int:
        return sum(one.called for one in coming)

    def test_a_few_are_let_in_at_once_and_nothing_stays(self) -> None:
        coming = self.come(AT_ONCE)
        self.assertEqual(self.let_in(coming), AT_ONCE)
        self.clock.advance(EVERY)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_others_follow_in_their_order_with_room_for_others_in_between(self) -> None:
        coming = self.come(3 * AT_ONCE)
        for number in range(1, 4):
            self.assertTrue(all(one.called for one in coming[: number * AT_ONCE]))
            self.assertEqual(self.let_in(coming), number * AT_ONCE)
            self.clock.advance(EVERY)
        self.assertEqual(self.openings.waiting, 0)

    def test_who_comes_later_overtakes_nobody(self) -> None:
        coming = self.come(AT_ONCE + 1)
        self.clock.advance(EVERY / 2)
        late = self.come(AT_ONCE)
        self.clock.advance(EVERY)
        self.assertEqual(self.let_in(coming), AT_ONCE + 1)
        self.assertEqual(self.let_in(late), AT_ONCE - 1)

    def test_too_many_are_sent_away_at_once(self) -> None:
        self.come(AT_ONCE + MOST)
        problem = self.failureResultOf(self.come(1)[0], Problem).value
        self.assertEqual((problem.code, problem.retry_after), (Code.unavailable, RETRY_SECONDS))

    def test_who_leaves_gives_its_place_away(self) -> None:
        coming = self.come(AT_ONCE + 2)
        coming[AT_ONCE].cancel()
        self.failureResultOf(coming[AT_ONCE], CancelledError)
        self.assertEqual(self.openings.waiting, 1)
        self.clock.advance(EVERY)
        self.successResultOf(coming[-1])
