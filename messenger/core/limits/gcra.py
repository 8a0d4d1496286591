"""The arithmetic of limits: the generic cell rate algorithm (ITU-T I.371, annex A), no clock, no store.

Of a subject one number is kept: its *debt*, the microseconds until all that it did is forgotten (the
standard's theoretical arrival time, less now). Time pays it off. A rate of N in a period has an increment T,
the period divided by N: each event adds T, and conforms if the debt is then at most N * T. So N events may
come at once (the standard's tolerance is (N - 1) * T) and after them one every T; in any time W at most
N + W / T. Smaller bursts than N would refuse clients that do what the rate's text allows. An event that does
not conform adds nothing: who keeps trying is not punished, and is not let in either.

All numbers are integers, in microseconds. T is rounded up, so no more than N come in a period; a rate finer
than a million a second counts as a million a second.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from messenger.wire.errors import Code, Problem

SECOND = 1_000_000
ENDLESS = 1 << 52  # a bound that nothing exceeds, and that a double still holds exactly
_PERIODS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_RATE = re.compile(r"([1-9][0-9]{0,8})/([smhd])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` events in `period` seconds, all of which may come at once."""

    count: int
    period: int
    increment: int
    bound: int

    @classmethod
    def of(cls, count: int, period: int) -> "Rate":
        """The rate of `count` (at least 1) in `period` seconds."""
        increment = -(-period * SECOND // count)
        return cls(count, period, increment, increment * count)


def parse_rate(text: str) -> Rate | None:
    """The rate that `N/s`, `N/m`, `N/h` or `N/d` says (N from 1 to 999,999,999); None for `off`.

    ValueError for anything else.
    """
    if text == "off":
        return None
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(f"no rate: {text!r} (expected N/s, N/m, N/h, N/d or off)")
    return Rate.of(int(match[1]), _PERIODS[match[2]])


class Charge(NamedTuple):
    """An addition to one debt, by one or several events.

    `kind` and `subject` name the debt. The charge fits if the debt is at most `bound` after it; a `forced`
    one always fits, and raises the debt no further than that. A negative `increment` gives back.
    """

    kind: str
    subject: str
    increment: int
    bound: int
    forced: bool = False


class Outcome(NamedTuple):
    """Whether several charges fitted, all or none, and the debts that stand now, in their order."""

    allowed: bool
    debts: Sequence[int]


def settle(debt: int, charge: Charge) -> int | None:
    """The debt after the charge, None where it does not fit."""
    after = debt + charge.increment
    if after > charge.bound:
        return max(debt, charge.bound) if charge.forced else None
    return max(after, 0)


def wait_for(charges: Sequence[Charge], debts: Sequence[int]) -> int:
    """Microseconds until these charges fit, if nothing else comes in between."""
    return max(
        (
            debt + charge.increment - charge.bound
            for charge, debt in zip(charges, debts, strict=True)
            if not charge.forced
        ),
        default=0,
    )


class Verdict(NamedTuple):
    """The decision about `events` under `rate`, and the debt (microseconds) that stands after them."""

    rate: Rate
    allowed: bool
    debt: int
    events: int = 1

    @property
    def remaining(self) -> int:
        """How many more events would be allowed at this moment."""
        return max(0, (self.rate.bound - self.debt) // self.rate.increment)

    @property
    def retry_after(self) -> int:
        """Whole seconds, at least 1, after which a refused event is allowed; 0 for one that was allowed."""
        if self.allowed:
            return 0
        return seconds(self.debt + self.events * self.rate.increment - self.rate.bound)

    @property
    def reset(self) -> int:
        """Whole seconds until everything is forgotten; for what was refused, until it is allowed."""
        return -(-self.debt // SECOND) if self.allowed else self.retry_after

    @property
    def headers(self) -> dict[str, str]:
        """The RateLimit fields of draft-ietf-httpapi-ratelimit-headers-06, sections 3 and 5.

        That is the last draft with a field for each figure. `RateLimit-Reset` is as section 5.4 wishes: for
        a 429 the same point in time as `Retry-After`.
        """
        count = str(self.rate.count)
        return {
            "RateLimit-Limit": count,
            "RateLimit-Remaining": str(self.remaining if self.allowed else 0),
            "RateLimit-Reset": str(self.reset),
            "RateLimit-Policy": f"{count};w={self.rate.period}",
        }


def seconds(wait: int) -> int:
    """Microseconds as the whole seconds, at least 1, that a client is told to wait."""
    return max(1, -(-wait // SECOND))


def refusal(verdict: Verdict, detail: str = "") -> Problem:
    """The Problem `rate_limited` for an event that was refused, with when to come again."""
    return Problem(
        Code.rate_limited,
        detail or "That was too much in too short a time.",
        retry_after=verdict.retry_after,
        headers=verdict.headers,
    )
