"""Limits with Redis, with Redis away, and without."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock

from messenger.core.limits.gcra import Charge, Verdict
from messenger.core.limits.limits import Limits
from messenger.core.limits.stores import BATCH, GATHERED, CacheAway, LocalCounts, SharedCounts
from messenger.core.settings import Limits as LimitSettings
from messenger.wire.errors import Code


class Redis:
    """What the script does, by the same arithmetic; it may be away, or hold its answers back."""

    def __init__(self, clock: Clock) -> None:
        self.counts = LocalCounts(clock.seconds)
        self.up = True
        self.fails = False
        self.held: Deferred[None] | None = None
        self.batches: list[int] = []

    async def run(self, script: str, keys: Sequence[str], arguments: Sequence[int]) -> list[Any]:
        if self.held is not None:
            await self.held
        if self.fails:
            self.up = False
            raise CacheAway
        answer: list[int] = []
        names, numbers = iter(keys), iter(arguments)
        groups = 0
        for count in numbers:
            charges = [
                Charge("", next(names), next(numbers), next(numbers), bool(next(numbers)))
                for _ in range(count)
            ]
            allowed, debts = self.counts.charge(charges)
            answer += [int(allowed), *debts]
            groups += 1
        self.batches.append(groups)
        return answer

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class House:
    """Two instances that share a Redis."""

    def __init__(self, **rates: str) -> None:
        self.clock = Clock()
        self.redis = Redis(self.clock)
        settings = LimitSettings(**rates)
        self.one, self.two = (Limits(settings, self.clock.seconds, self.redis) for _ in range(2))


def now(coroutine: Any) -> Any:
    """The result of what needs no waiting."""
    results: list[Any] = []
    ensureDeferred(coroutine).addBoth(results.append)
    assert results, "it waits"
    return results[0]


def take(limits: Limits, name: str, subject: str = "a") -> Verdict:
    limit = limits.of(name)
    assert limit is not None
    verdict: Verdict = now(limit.take(subject))
    return verdict


def test_a_class_that_is_off_is_none() -> None:
    assert House(claim="off").one.of("claim") is None
    with pytest.raises(KeyError):
        House().one.of("nonsense")


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 500)), max_size=60))
def test_two_instances_allow_together_what_one_alone_would(calls: list[tuple[bool, float]]) -> None:
    house = House(guess="10/h")
    alone = Limits(LimitSettings(guess="10/h"), house.clock.seconds)
    for first, pause in calls:
        house.clock.advance(pause)
        verdict = take(house.one if first else house.two, "guess")
        assert verdict.allowed == take(alone, "guess").allowed


def test_sends_are_counted_in_the_process() -> None:
    house = House(send="2/s")
    assert [take(house.one, "send").allowed for _ in range(3)] == [True, True, False]
    assert take(house.two, "send").allowed
    assert house.redis.batches == []
    assert house.one.refused["send"] == 1


def test_who_is_over_the_limit_here_costs_no_round_trip() -> None:
    house = House(claim="2/h")
    assert [take(house.one, "claim").allowed for _ in range(9)] == [True, True, *[False] * 7]
    assert len(house.redis.batches) == 2


def test_the_process_takes_over_and_does_not_start_from_zero() -> None:
    house = House(guess="10/h")
    for limits in (house.one, house.two) * 4:
        assert take(limits, "guess").allowed
    house.redis.fails = True
    assert [take(house.two, "guess").allowed for _ in range(4)] == [True, True, False, False]
    assert house.two.fallbacks == 2
    house.redis.fails, house.redis.up = False, True
    # What was counted meanwhile still holds here.
    assert not take(house.two, "guess").allowed
    house.clock.advance(360)
    assert take(house.two, "guess").allowed


def test_charges_gather_while_a_round_trip_is_under_way() -> None:
    house = House(other="1000/s")
    house.redis.held = held = Deferred()
    limit = house.one.of("other")
    assert limit is not None
    verdicts: list[Verdict] = []
    for number in range(BATCH + 50):
        ensureDeferred(limit.take(f"user-{number}")).addCallback(verdicts.append)
    assert verdicts == []
    house.redis.held = None
    held.callback(None)
    assert len(verdicts) == BATCH + 50
    assert house.redis.batches == [1, BATCH, 49]


def test_what_waits_for_redis_is_bounded_and_all_of_it_is_judged() -> None:
    house = House(other="1/s")
    house.redis.held = held = Deferred()
    limit = house.one.of("other")
    assert limit is not None
    verdicts: list[Verdict] = []
    for number in range(GATHERED + 11):
        ensureDeferred(limit.take(f"user-{number}")).addCallback(verdicts.append)
    assert len(verdicts) == 10
    house.redis.fails = True
    held.callback(None)
    assert len(verdicts) == GATHERED + 11
    assert all(verdict.allowed for verdict in verdicts)


def test_an_answer_that_makes_no_sense_is_no_answer() -> None:
    house = House()

    async def nonsense(*_: object) -> list[Any]:
        return [1]

    house.redis.run = nonsense  # type: ignore[method-assign]
    with pytest.raises(CacheAway):
        now(SharedCounts(house.redis).charge((Charge("a", "b", 1, 1),))).raiseException()


def test_a_caller_that_is_cancelled_harms_nobody() -> None:
    house = House(other="5/s")
    house.redis.held = held = Deferred()
    limit = house.one.of("other")
    assert limit is not None
    gone = ensureDeferred(limit.take("a"))
    gone.addErrback(lambda _: None)
    stays: list[Verdict] = []
    ensureDeferred(limit.take("b")).addCallback(stays.append)
    gone.cancel()
    held.callback(None)
    assert stays[0].allowed


def test_a_refusal_is_a_problem_of_the_contract() -> None:
    from messenger.core.limits.gcra import refusal

    house = House(claim="1/h")
    take(house.one, "claim")
    problem = refusal(take(house.one, "claim"))
    assert (problem.code, problem.retry_after) == (Code.rate_limited, 3_600)
    assert problem.headers["RateLimit-Reset"] == "3600"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("ask", "ask", "answer", "away", "throw", "nonsense", "cancel")),
            st.integers(0, 9),
        ),
        max_size=60,
    )
)
def test_every_charge_is_judged_and_none_is_left_waiting(steps: list[tuple[str, int]]) -> None:
    house = House()
    counts = SharedCounts(house.redis)
    asked: list[Deferred[None]] = []
    good = house.redis.run

    async def run(script: str, keys: Sequence[str], arguments: Sequence[int]) -> list[Any]:
        wait: Deferred[None] = Deferred()
        asked.append(wait)
        said: Any = await wait
        return [1] if said else await good(script, keys, arguments)

    house.redis.run = run  # type: ignore[method-assign]
    calls: list[Deferred[Any]] = []
    ends: list[object] = []

    def ask() -> None:
        call = ensureDeferred(counts.charge((Charge("a", "b", 1, 1_000),)))
        call.addBoth(ends.append)
        calls.append(call)

    for step, number in steps:
        waiting = [one for one in asked if not one.called]
        if step == "ask":
            ask()
        elif step == "cancel" and calls:
            calls[number % len(calls)].cancel()
        elif waiting and step == "answer":
            waiting[0].callback(None)
        elif waiting and step == "nonsense":
            waiting[0].callback(True)  # type: ignore[arg-type]
        elif waiting and step == "away":
            waiting[0].errback(CacheAway())
        elif waiting and step == "throw":
            waiting[0].errback(RecursionError("too deep"))
    while left := [one for one in asked if not one.called]:
        left[0].callback(None)
    assert len(ends) == len(calls)
    assert (counts._waiting, counts._running) == ([], False)
    ask()  # and the next one is asked at once
    asked[-1].callback(None)
    assert len(ends) == len(calls)
