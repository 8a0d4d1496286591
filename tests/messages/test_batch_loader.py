"""Questions that are asked for many at once."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.messages.batch_loader import MOST, REST, ROWS, BatchLoader
from messenger.wire.errors import Problem, unavailable


class TogetherTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.asked: list[list[str]] = []
        self.answers: list[Deferred[dict[str, Any]]] = []
        self.clock = Clock()
        self.loader: BatchLoader[str, Any] = BatchLoader(self.clock, self.ask)

    async def ask(self, keys: Sequence[str]) -> dict[str, Any]:
        self.asked.append(list(keys))
        self.answers.append(Deferred())
        return await self.answers[-1]

    def of(self, key: str) -> Deferred[Any]:
        return ensureDeferred(self.loader.load(key))

    def answer(self, rows: int = 1) -> None:
        """Answer the latest question, with so many rows for each key; then the next one is asked."""
        self.answers[-1].callback({key: [key] * rows for key in self.asked[-1]})
        self.clock.advance(REST)

    def test_who_comes_alone_waits_for_nobody(self) -> None:
        first = self.of("a")
        self.assertEqual(self.asked, [["a"]])
        self.answer()
        self.assertEqual(self.successResultOf(first), ["a"])

    def test_what_comes_meanwhile_goes_together_in_the_next_question(self) -> None:
        """Never in the one under way: what it sees is of before."""
        first = self.of("a")
        others = [self.of(key) for key in "aba"]
        self.answer()
        self.successResultOf(first)
        self.assertEqual(self.asked, [["a"], ["a", "b"]])
        self.answer()
        self.assertEqual([self.successResultOf(one) for one in others], [["a"], ["b"], ["a"]])

    def test_soon_after_an_answer_the_next_question_waits_for_more_to_come(self) -> None:
        self.of("a")
        self.answers[-1].callback({"a": []})
        self.of("b")
        self.clock.advance(REST / 2)
        self.of("c")
        self.assertEqual(self.asked, [["a"]])
        self.clock.advance(REST)
        self.assertEqual(self.asked, [["a"], ["b", "c"]])

    def test_a_question_is_for_so_many_at_most(self) -> None:
        waiting = [self.of(str(number)) for number in range(MOST + 2)]
        for _ in range(3):
            self.answer()
        self.assertEqual([len(keys) for keys in self.asked], [1, MOST, 1])
        for one in waiting:
            self.successResultOf(one)

    def test_large_answers_make_the_next_question_small(self) -> None:
        waiting = [self.of(str(number)) for number in range(6)]
        self.answer(ROWS // 2)
        self.answer(3 * ROWS)
        self.answer()
        self.assertEqual([len(keys) for keys in self.asked], [1, 2, 1, 2])
        self.answer()
        for one in waiting:
            self.successResultOf(one)

    def test_a_failure_is_of_those_who_asked_and_of_nobody_after_them(self) -> None:
        first, second = self.of("a"), self.of("b")
        self.answers[-1].errback(unavailable("away"))
        self.failureResultOf(first, Problem)
        self.assertNoResult(second)
        self.clock.advance(REST)
        self.answer()
        self.assertEqual(self.successResultOf(second), ["b"])

    def test_who_left_meanwhile_is_passed_over(self) -> None:
        first, left, other = self.of("a"), self.of("b"), self.of("c")
        left.addErrback(lambda _: None)
        self.answer()
        left.cancel()
        self.answer()
        self.successResultOf(first)
        self.assertEqual(self.successResultOf(other), ["c"])
