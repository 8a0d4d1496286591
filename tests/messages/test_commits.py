"""Group commit: batches, order, repeats, busy conversations, failures."""

from collections import deque
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from messenger.messages import commits
from messenger.messages.commits import Commits
from messenger.messages.model import Draft, Outcome
from messenger.wire.errors import Code, Problem, unavailable


def draft(conversation: str, client: str, content: bytes = b"x") -> Draft:
    return Draft(conversation, "user", "device", client, "text", content, None)


class Log:
    """A store whose commits the test answers."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[Draft], bool, Deferred[list[Outcome]]]] = []
        self.seqs: dict[str, int] = {}

    async def commit(self, event_id: str, drafts: list[Draft], *, wait: bool) -> list[Outcome]:
        answer: Deferred[list[Outcome]] = Deferred()
        self.calls.append((drafts, wait, answer))
        return await answer

    def number(self, drafts: list[Draft]) -> list[Outcome]:
        found = []
        for one in drafts:
            self.seqs[one.conversation_id] = self.seqs.get(one.conversation_id, 0) + 1
            found.append(Outcome("stored", self.seqs[one.conversation_id], 1, 1000, None))
        return found

    def answer(self, call: int, outcomes: list[Outcome] | None = None) -> None:
        drafts, _, answer = self.calls[call]
        answer.callback(self.number(drafts) if outcomes is None else outcomes)


class CommitsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.log = Log()
        self.committed: list[list[tuple[str, int]]] = []
        self.commits = Commits(self.log, self._note)

    def _note(self, event_id: str, stored: list[tuple[Draft, Outcome]]) -> None:
        self.committed.append([(one.client_id, outcome.seq) for one, outcome in stored])

    def append(self, conversation: str, client: str) -> Deferred[Outcome]:
        return ensureDeferred(self.commits.append(draft(conversation, client)))

    def test_what_comes_during_a_commit_shares_the_next(self) -> None:
        first = self.append("a", "1")
        later = [self.append("a", str(number)) for number in range(2, 6)]
        self.assertEqual([len(call[0]) for call in self.log.calls], [1])
        self.log.answer(0)
        self.assertEqual(self.successResultOf(first).seq, 1)
        self.assertEqual([len(call[0]) for call in self.log.calls], [1, 4])
        self.log.answer(1)
        self.assertEqual([self.successResultOf(one).seq for one in later], [2, 3, 4, 5])

    def test_another_conversation_does_not_wait(self) -> None:
        self.append("a", "1")
        self.append("b", "1")
        self.assertEqual([call[0][0].conversation_id for call in self.log.calls], ["a", "b"])

    def test_one_conversation_is_never_in_two_batches(self) -> None:
        self.append("a", "1")
        self.append("b", "1")
        self.append("a", "2")
        self.append("b", "2")
        self.assertEqual(len(self.log.calls), 2)
        self.log.answer(1)
        self.assertEqual([one.client_id for one in self.log.calls[2][0]], ["2"])
        self.assertEqual(self.log.calls[2][0][0].conversation_id, "b")

    def test_the_same_draft_twice_is_committed_once(self) -> None:
        first, second = self.append("a", "1"), self.append("a", "1")
        self.log.answer(0)
        self.assertEqual(len(self.log.calls), 1)
        self.assertEqual(self.successResultOf(first).outcome, "stored")
        self.assertEqual(self.successResultOf(second), Outcome("repeat", 1, 1, 1000, None))

    def test_busy_goes_round_and_then_waits(self) -> None:
        busy = Outcome("busy", 0, 0, 0, None)
        answer = self.append("a", "1")
        for number in range(commits.PATIENCE):
            self.assertFalse(self.log.calls[number][1])
            self.log.answer(number, [busy])
        self.assertTrue(self.log.calls[commits.PATIENCE][1])
        self.log.answer(commits.PATIENCE)
        self.assertEqual(self.successResultOf(answer).seq, 1)
        self.assertEqual(self.committed, [[("1", 1)]])

    def test_order_holds_when_busy_comes_back(self) -> None:
        self.append("a", "1")
        self.append("a", "2")
        self.append("a", "3")
        self.log.answer(0, [Outcome("busy", 0, 0, 0, None)])
        self.assertEqual([one.client_id for one in self.log.calls[1][0]], ["1", "2", "3"])

    def test_who_waits_for_a_lock_waits_alone(self) -> None:
        held = self.append("a", "1")
        busy = [Outcome("busy", 0, 0, 0, None)]
        for turn in range(commits.PATIENCE):
            self.log.answer(turn, busy)
        self.assertEqual([call[1] for call in self.log.calls[-2:]], [False, True])
        self.append("x", "1")
        others = [self.append(name, "1") for name in ("b", "c")]
        after = self.append("a", "2")
        self.log.answer(commits.PATIENCE, busy)  # a statement's time-out would be a Problem; it goes on
        self.log.answer(commits.PATIENCE + 1)
        drafts = [[one.conversation_id for one in call[0]] for call in self.log.calls[-2:]]
        self.assertEqual(drafts, [["a", "a"], ["b", "c"]])
        self.log.answer(len(self.log.calls) - 1)
        self.assertEqual([self.successResultOf(one).seq for one in others], [1, 1])
        self.assertNoResult(held)
        self.assertNoResult(after)

    def test_who_is_answered_does_not_overtake_what_was_busy(self) -> None:
        self.append("x", "1")
        self.append("y", "1")
        busy, stored = self.append("a", "1"), self.append("b", "1")
        # The same socket sends its next message as soon as one is answered.
        stored.addCallback(lambda _: self.append("a", "2") and None)
        self.log.answer(0)
        first, second = Outcome("busy", 0, 0, 0, None), Outcome("stored", 1, 1, 1000, None)
        self.log.answer(2, [first, second])
        self.assertNoResult(busy)
        self.assertEqual([one.client_id for one in self.log.calls[3][0]], ["1", "2"])

    def test_what_is_stored_is_answered_though_it_could_not_be_delivered(self) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("broken")

        self.commits = Commits(self.log, broken)
        one, two = self.append("a", "1"), self.append("a", "2")
        self.log.answer(0)
        self.log.answer(1)
        self.assertEqual([self.successResultOf(each).seq for each in (one, two)], [1, 2])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)

    def test_a_problem_reaches_all_of_the_batch(self) -> None:
        first = self.append("a", "1")
        self.log.calls[0][2].errback(unavailable("away"))
        self.assertEqual(self.failureResultOf(first, Problem).value.code, Code.unavailable)
        self.assertEqual(self.commits.waiting, 0)

    def test_one_bad_draft_does_not_spoil_its_neighbours(self) -> None:
        self.append("z", "0")
        self.append("y", "0")
        answers = [self.append("a", str(number)) for number in range(3)]
        self.log.answer(0)
        batch = self.log.calls[2][0]
        self.assertEqual(len(batch), 3)
        self.log.calls[2][2].errback(ValueError("PostgreSQL did not like it"))
        # Each is tried on its own now.
        self._answer_alone(lambda one: one.client_id == "1")
        self.assertEqual(self.successResultOf(answers[0]).seq, 1)
        self.failureResultOf(answers[1], ValueError)
        self.assertEqual(self.successResultOf(answers[2]).seq, 2)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def test_order_holds_when_a_batch_is_tried_one_by_one(self) -> None:
        self.append("a", "0")
        for number in (1, 2):
            self.append("a", str(number))
        self.log.answer(0)
        self.append("a", "3")
        self.log.calls[1][2].errback(ValueError("PostgreSQL did not like it"))
        self.append("a", "4")
        self.log.answer(2)
        self.log.answer(3)
        self.log.answer(4)
        drafts = [[one.client_id for one in call[0]] for call in self.log.calls[2:]]
        self.assertEqual(drafts, [["1"], ["2"], ["3", "4"]])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def _answer_alone(self, bad: Callable[[Draft], bool]) -> None:
        call = 3
        while call < len(self.log.calls):
            drafts, _, answer = self.log.calls[call]
            self.assertEqual(len(drafts), 1)
            if bad(drafts[0]):
                answer.errback(ValueError("PostgreSQL did not like it"))
            else:
                self.log.answer(call)
            call += 1

    def test_a_full_queue_says_no(self) -> None:
        self.patch(commits, "QUEUE", 2)
        self.append("a", "1")
        self.append("a", "2")
        third = self.append("a", "3")
        self.assertEqual(self.failureResultOf(third, Problem).value.code, Code.unavailable)

    def test_stop_finishes_what_was_accepted(self) -> None:
        first = self.append("a", "1")
        stopped = ensureDeferred(self.commits.stop())
        self.assertNoResult(stopped)
        late = self.append("a", "2")
        self.assertEqual(self.failureResultOf(late, Problem).value.code, Code.unavailable)
        self.log.answer(0)
        self.successResultOf(first)
        self.successResultOf(stopped)

    def test_answers_come_after_the_committed_ones_are_told(self) -> None:
        told: list[Any] = []
        answer = self.append("a", "1")
        answer.addCallback(lambda _: told.append(list(self.committed)))
        self.log.answer(0)
        self.assertEqual(told, [[[("1", 1)]]])

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(("send", "send", "store", "busy", "short", "refuse", "away", "cancel")),
                st.integers(0, 9),
            ),
            max_size=60,
        ),
        st.sampled_from(("none", "observe", "committed", "took")),
    )
    def test_every_draft_is_answered(self, steps: list[tuple[str, int]], broken: str) -> None:
        def fault(name: str) -> Callable[..., None]:
            def run(*_: object) -> None:
                if name == broken:
                    raise ZeroDivisionError(name)

            return run

        log = Log()
        queue = Commits(log, fault("committed"), fault("observe"), fault("took"))
        calls: list[Deferred[Outcome]] = []
        ends: list[object] = []
        for step, number in steps:
            open_ones = [one for one in log.calls if not one[2].called]
            if step == "send":
                call = ensureDeferred(queue.append(draft("abc"[number % 3], str(number))))
                call.addBoth(ends.append)
                calls.append(call)
            elif step == "cancel" and calls:
                calls[number % len(calls)].cancel()
            elif open_ones:
                drafts, _, answer = open_ones[number % len(open_ones)]
                if step == "store":
                    answer.callback(log.number(drafts))
                elif step == "busy":
                    answer.callback([Outcome("busy", 0, 0, 0, None)] * len(drafts))
                elif step == "short":
                    answer.callback([])
                elif step == "refuse":
                    answer.errback(ValueError("PostgreSQL did not like it"))
                elif step == "away":
                    answer.errback(unavailable("The database went away."))
        while left := [one for one in log.calls if not one[2].called]:
            left[0][2].callback(log.number(left[0][0]))
        self.assertEqual(len(ends), len(calls))
        self.assertEqual(
            (queue.waiting, queue._running, queue._committing, queue._queue), (0, 0, set(), deque())
        )
        self.successResultOf(ensureDeferred(queue.stop()))
        self.flushLoggedErrors()

    def test_a_long_queue_that_fails_at_once_does_not_nest(self) -> None:
        calls = [self.append("a", "0"), self.append("b", "0")]
        calls += [self.append(str(number), "1") for number in range(3_000)]
        self.patch(commits, "BATCH", 1)  # as drafts of 64 KiB come close to

        async def away(*_: object, **__: object) -> list[Outcome]:
            raise unavailable("The database is away.")

        self.log.commit = away  # type: ignore[method-assign]
        self.log.answer(0)
        self.log.answer(1)
        self.assertEqual(self.commits.waiting, 0)
        for call in calls[2:]:
            self.failureResultOf(call, Problem)
