"""Who may do how much: the classes of `[limits]`, each with its rate, its subject and its place.

`register` and `login` count by the client's address; `claim`, `send`, `frame`, `upload` and `other` by user,
or by address where nobody is logged in; `group` and `stranger` by user, beside a call's own class; `guess`
and `guess_address` are the auth service's (auth/guesses.py).

Counts are shared by all instances where Redis is configured. Only `send` and `frame` are always counted in
the process, by each message instance for itself: no message must wait for a round trip.

When Redis fails or hangs, each class goes on at once on the process's own count, without an error: traffic
flows, and guesses stay bounded, at worst once for each instance. That count does not begin at zero: what
Redis accepted here is counted here too, with what the others had done until then. It is also asked first: who
is over the limit by this instance's own count is refused without a round trip. When Redis is back, what was
counted meanwhile still holds in this instance.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from messenger.core.limits.gcra import Charge, Outcome, Rate, Verdict, parse_rate, refusal, wait_for
from messenger.core.limits.stores import CacheAway, LocalCounts, SharedCounts
from messenger.core.settings import Limits as LimitSettings
from messenger.wire.errors import Problem

if TYPE_CHECKING:
    from messenger.core.cache import Cache

IN_PROCESS = frozenset({"send", "frame"})


class Limit:
    """One class that is not `off`."""

    def __init__(self, limits: "Limits", name: str, rate: Rate) -> None:
        self._limits = limits
        self.name = name
        self.rate = rate
        self.in_process = name in IN_PROCESS

    def charge(self, subject: str, *, forced: bool = False, count: int = 1) -> Charge:
        """`count` events of `subject`, to be charged together with others."""
        return Charge(self.name, subject, count * self.rate.increment, self.rate.bound, forced)

    async def take(self, subject: str, count: int = 1) -> Verdict:
        """Count `count` events of `subject`, all or none, if they are allowed."""
        if self.in_process:
            return self.take_now(subject, count)
        outcome = await self._limits.charge((self.charge(subject, count=count),))
        return self._verdict(outcome.allowed, outcome.debts[0], count)

    def take_now(self, subject: str, count: int = 1) -> Verdict:
        """Count `count` events of `subject`, if they are allowed by the process's own count alone."""
        rate = self.rate
        allowed, debt = self._limits.local.take(self.name, subject, count * rate.increment, rate.bound)
        return self._verdict(allowed, debt, count)

    def refuse(self, wait: int, detail: str) -> Problem:
        """The Problem `rate_limited` for what has to wait so many microseconds; it counts as refused."""
        self._limits.refused[self.name] += 1
        return refusal(Verdict(self.rate, False, self.rate.bound - self.rate.increment + wait), detail)

    def _verdict(self, allowed: bool, debt: int, count: int) -> Verdict:
        (self._limits.allowed if allowed else self._limits.refused)[self.name] += 1
        return Verdict(self.rate, allowed, debt, count)


class Limits:
    """All classes. `clock` gives seconds and never goes back; `cache` is None where there is no Redis.

    A part of the process: it starts and stops the cache. `allowed` and `refused` count decisions by class,
    `fallbacks` the charges that Redis should have judged and the process did.
    """

    def __init__(
        self, settings: LimitSettings, clock: Callable[[], float], cache: "Cache | None" = None
    ) -> None:
        self._cache = cache
        self._shared = None if cache is None else SharedCounts(cache)
        self.local = LocalCounts(clock)
        self.allowed: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.fallbacks = 0
        self._limits: dict[str, Limit | None] = {}
        for name in settings.__struct_fields__:
            rate = parse_rate(getattr(settings, name))
            self._limits[name] = None if rate is None else Limit(self, name, rate)

    def of(self, name: str) -> Limit | None:
        """The class of this name, None where it is off; KeyError where there is none."""
        return self._limits[name]

    @property
    def names(self) -> list[str]:
        """All classes."""
        return list(self._limits)

    @property
    def shared(self) -> bool | None:
        """Whether Redis judges at this moment; None where there is none."""
        return None if self._cache is None else self._cache.up

    async def spend(self, name: str, subject: str, count: int = 1) -> None:
        """Count `count` events of the class `name`, all or none; Problem `rate_limited`, which names it."""
        limit = self._limits[name]
        if limit is None or count < 1:
            return
        charges = (limit.charge(subject, count=count),)
        outcome = await self.charge(charges)
        if not outcome.allowed:
            raise limit.refuse(wait_for(charges, outcome.debts), f"There is a limit on this: {name}.")
        self.allowed[name] += 1

    async def charge(self, charges: Sequence[Charge]) -> Outcome:
        """Add all of these charges, or none where one does not fit."""
        if self._shared is None or not charges:
            return self.local.charge(charges)
        known = self.local.fits(charges)
        if not known.allowed:
            return known
        try:
            outcome = await self._shared.charge(charges)
        except CacheAway:
            self.fallbacks += 1
            return self.local.charge(charges)
        if outcome.allowed:
            self.local.learn(charges, outcome.debts)
        return outcome

    async def start(self) -> None:
        if self._cache is not None:
            await self._cache.start()

    async def stop(self) -> None:
        if self._cache is not None:
            await self._cache.stop()


def network_of(address: str) -> str:
    """The client that an address stands for: an IPv4 address, or an IPv6 /64 (RFC 4291 section 2.5.4).

    Whoever has one IPv6 address has 2^64 of them. IPv4 addresses mapped into IPv6 are IPv4; anything that is
    no address is itself.
    """
    if ":" not in address:
        return address
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{IPv6Address(int(found) >> 64 << 64)}/64"
