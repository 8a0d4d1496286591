"""The arithmetic of limits, and the counts in the process."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from messenger.core.limits.gcra import ENDLESS, Charge, Rate, Verdict, parse_rate
from messenger.core.limits.limits import network_of
from messenger.core.limits.stores import LocalCounts

SECOND = 1_000_000
rates = st.builds(Rate.of, st.integers(1, 200), st.sampled_from([1, 60, 3_600, 86_400]))
pauses = st.lists(st.integers(0, 3 * 3_600 * SECOND), max_size=300)


class Microseconds:
    """A clock that is set in microseconds, so that nothing is lost to rounding."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> "Microseconds":
        return self

    def __mul__(self, factor: int) -> int:
        assert factor == SECOND
        return self.now


def counts(bound: int = 1_000) -> tuple[Microseconds, LocalCounts]:
    clock = Microseconds()
    return clock, LocalCounts(clock, bound)


def take(local: LocalCounts, rate: Rate, subject: str = "a") -> Verdict:
    allowed, debt = local.take("kind", subject, rate.increment, rate.bound)
    return Verdict(rate, allowed, debt)


@pytest.mark.parametrize(
    ("text", "count", "period"),
    [("1/s", 1, 1), ("50/m", 50, 60), ("20/h", 20, 3_600), ("999999999/d", 999_999_999, 86_400)],
)
def test_rates_are_read(text: str, count: int, period: int) -> None:
    rate = parse_rate(text)
    assert rate is not None
    assert (rate.count, rate.period) == (count, period)
    assert rate.bound == count * rate.increment >= period * SECOND


@pytest.mark.parametrize("text", ["", "0/s", "1", "1/w", "1 /s", "-1/s", "1000000000/s", "١/s", "OFF"])
def test_what_is_no_rate_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="no rate"):
        parse_rate(text)


def test_off_is_no_rate() -> None:
    assert parse_rate("off") is None


def test_a_burst_then_one_at_a_time() -> None:
    clock, local = counts()
    rate = Rate.of(3, 60)
    assert [take(local, rate).allowed for _ in range(5)] == [True, True, True, False, False]
    clock.now += 20 * SECOND - 1
    assert not take(local, rate).allowed
    clock.now += 1
    assert take(local, rate).allowed
    assert not take(local, rate).allowed


def test_what_a_client_is_told() -> None:
    clock, local = counts()
    rate = Rate.of(2, 60)
    assert take(local, rate).headers == {
        "RateLimit-Limit": "2",
        "RateLimit-Remaining": "1",
        "RateLimit-Reset": "30",
        "RateLimit-Policy": "2;w=60",
    }
    take(local, rate)
    clock.now += SECOND // 2
    refused = take(local, rate)
    assert (refused.remaining, refused.retry_after, refused.reset) == (0, 30, 30)
    clock.now += 10**9
    assert take(local, rate).remaining == 1


@given(rates)
def test_at_one_moment_exactly_the_count_is_allowed(rate: Rate) -> None:
    _, local = counts()
    verdicts = [take(local, rate) for _ in range(rate.count + 3)]
    assert [verdict.allowed for verdict in verdicts] == [True] * rate.count + [False] * 3
    assert [verdict.remaining for verdict in verdicts[: rate.count]] == list(range(rate.count))[::-1]


@given(rates, pauses)
def test_no_more_than_the_burst_and_the_rate_in_any_time(rate: Rate, pauses: list[int]) -> None:
    clock, local = counts()
    allowed: list[int] = []
    for pause in pauses:
        clock.now += pause
        if take(local, rate).allowed:
            allowed.append(clock.now)
    for first, start in enumerate(allowed):
        for last in range(first, len(allowed)):
            assert last - first + 1 <= rate.count + (allowed[last] - start) // rate.increment


@given(rates, pauses)
def test_who_waits_as_told_is_let_in_and_not_a_moment_sooner(rate: Rate, pauses: list[int]) -> None:
    clock, local = counts()
    for pause in pauses:
        clock.now += pause
        verdict = take(local, rate)
        if not verdict.allowed:
            wait = verdict.debt + rate.increment - rate.bound
            assert wait > 0
            assert verdict.retry_after == -(-wait // SECOND)
            clock.now += wait - 1
            assert not take(local, rate).allowed
            clock.now += 1
            assert take(local, rate).allowed


@given(rates, st.integers(1, 300))
def test_who_keeps_the_pace_is_never_refused(rate: Rate, events: int) -> None:
    clock, local = counts()
    for _ in range(events):
        assert take(local, rate).allowed
        clock.now += rate.increment


@given(rates, pauses)
def test_what_is_refused_changes_nothing(rate: Rate, pauses: list[int]) -> None:
    clock, local = counts()
    _, patient = counts()
    patient._clock = clock  # type: ignore[attr-defined]
    for pause in pauses:
        clock.now += pause
        verdict = take(local, rate)
        if verdict.allowed:
            assert take(patient, rate) == verdict


@given(rates, st.integers(1, 20))
def test_what_is_given_back_was_never_taken(rate: Rate, events: int) -> None:
    _, local = counts()
    back = Charge("kind", "a", -rate.increment, ENDLESS)
    for _ in range(events):
        assert take(local, rate).allowed
        assert local.charge((back,)).debts == [0]
    assert local.charge((back,)).debts == [0]


def test_charges_are_added_all_or_none() -> None:
    _, local = counts()
    one, ten = Charge("one", "a", 5, 5), Charge("ten", "a", 5, 50)
    assert local.charge((ten, one)) == (True, [5, 5])
    assert local.charge((ten, one)) == (False, [5, 5])
    assert local.fits((ten,)) == (True, [5])
    assert local.charge((ten,)) == (True, [10])


def test_a_forced_charge_fits_always_and_goes_no_further_than_its_bound() -> None:
    clock, local = counts()
    charge = Charge("kind", "a", 30, 50, forced=True)
    assert [local.charge((charge,)).debts for _ in range(3)] == [[30], [50], [50]]
    clock.now += 40
    assert local.charge((charge,)).debts == [40]


def test_what_was_accepted_elsewhere_counts_here() -> None:
    _, local = counts()
    charge = Charge("kind", "a", 10, 50)
    local.learn((charge,), [40])
    assert local.charge((charge,)) == (True, [50])
    assert local.charge((charge,)) == (False, [50])
    local.learn((charge,), [20])  # what was counted here alone still holds
    assert local.fits((charge,)).debts == [50]


def test_memory_is_bounded_and_what_is_paid_off_goes_first() -> None:
    clock, local = counts(bound=10)
    rate = Rate.of(10, 10)
    for number in range(10):
        take(local, rate, f"old-{number}")
    clock.now += 10 * SECOND
    for number in range(10):
        take(local, rate, f"new-{number}")
        take(local, rate, f"new-{number}")
    assert len(local) == 10
    assert take(local, rate, "new-0").remaining == 7
    assert take(local, rate, "other").remaining == 9
    assert len(local) == 10
    # Kinds have room of their own.
    assert local.take("guess", "a", 1, 1) == (True, 1)
    assert len(local) == 11


def test_at_the_bound_the_least_debt_of_the_oldest_goes() -> None:
    _, local = counts(bound=3)
    rate = Rate.of(10, 10)
    for subject in ("heavy", "heavy", "light", "heavy", "fresh"):
        take(local, rate, subject)
    local._kinds["kind"].move_to_end("heavy", last=False)
    take(local, rate, "new")
    assert take(local, rate, "heavy").remaining == 6
    assert take(local, rate, "light").remaining == 9


def test_the_reactors_clock_will_do() -> None:
    clock = Clock()
    local = LocalCounts(clock.seconds)
    rate = Rate.of(10, 1)
    assert [take(local, rate).allowed for _ in range(11)] == [True] * 10 + [False]
    clock.advance(0.1)
    assert [take(local, rate).allowed for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("what:is:this", "what:is:this"),
    ],
)
def test_an_ipv6_client_is_its_network(address: str, network: str) -> None:
    assert network_of(address) == network
