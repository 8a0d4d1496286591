"""Where debts are kept: in the process, and in Redis or Valkey for all instances together.

In the process there are at most `BOUND` debts of each kind. A debt that time has paid off is dropped when a
new one comes. At the bound the least of those that have rested longest goes: its subject starts afresh. Kinds
have room of their own, so nobody's traffic pushes out the count of guesses; and who wants to push out a guess
on one account must first make `BOUND` guesses on others.

In Redis a debt is a key that lives as long as the debt does, with the time (the server's own clock, in
microseconds) at which it is paid off. One script judges any number of charges in one round trip. While a
round trip is under way charges gather, and the next one takes them all: an idle server answers at once, a
busy one costs Redis little for each charge.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Protocol

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from messenger.core.limits.gcra import SECOND, Charge, Outcome, settle

BOUND = 50_000
GATHERED = 10_000  # charges that may wait for Redis; one more is judged in the process
BATCH = 200
PREFIX = "messenger:limit:"
_LOOKED_AT = 8  # how many of those that rested longest are compared when one must go

log = Logger(namespace="messenger.limits")


class LocalCounts:
    """Debts in this process. `clock` gives seconds and never goes back."""

    def __init__(self, clock: Callable[[], float], bound: int = BOUND) -> None:
        self._clock = clock
        self._bound = bound
        # By kind and subject: when the debt is paid off, in microseconds; who came last is last.
        self._kinds: dict[str, OrderedDict[str, int]] = {}

    def __len__(self) -> int:
        return sum(len(kind) for kind in self._kinds.values())

    def take(self, kind: str, subject: str, increment: int, bound: int) -> tuple[bool, int]:
        """One charge, as quickly as can be: whether it fitted, and the debt after it."""
        now = int(self._clock() * SECOND)
        paid_off = self._kinds.get(kind)
        debt = 0 if paid_off is None else max(0, paid_off.get(subject, 0) - now)
        if debt + increment > bound:
            return False, debt
        debt += increment
        self._keep(kind, subject, now, debt)
        return True, debt

    def charge(self, charges: Sequence[Charge]) -> Outcome:
        """Add all of these charges, or none where one does not fit."""
        now = int(self._clock() * SECOND)
        debts = [self._debt(charge, now) for charge in charges]
        afters = [settle(debt, charge) for debt, charge in zip(debts, charges, strict=True)]
        if None in afters:
            return Outcome(False, debts)
        for charge, debt, after in zip(charges, debts, afters, strict=True):
            if after is not None and after != debt:
                self._keep(charge.kind, charge.subject, now, after)
        return Outcome(True, [after or 0 for after in afters])

    def fits(self, charges: Sequence[Charge]) -> Outcome:
        """The outcome that `charge` would have; nothing is added, and the debts are those before it."""
        now = int(self._clock() * SECOND)
        debts = [self._debt(charge, now) for charge in charges]
        pairs = zip(debts, charges, strict=True)
        return Outcome(all(settle(debt, charge) is not None for debt, charge in pairs), debts)

    def learn(self, charges: Sequence[Charge], debts: Sequence[int]) -> None:
        """These charges were accepted elsewhere, where these debts stand now: here none is less."""
        now = int(self._clock() * SECOND)
        for charge, there in zip(charges, debts, strict=True):
            before = self._debt(charge, now)
            after = settle(before, charge._replace(forced=True)) or 0
            after = max(after, there)
            if after != before:
                self._keep(charge.kind, charge.subject, now, after)

    def _debt(self, charge: Charge, now: int) -> int:
        kind = self._kinds.get(charge.kind)
        return 0 if kind is None else max(0, kind.get(charge.subject, 0) - now)

    def _keep(self, name: str, subject: str, now: int, debt: int) -> None:
        kind = self._kinds.setdefault(name, OrderedDict())
        if subject not in kind:
            self._make_room(kind, now)
        kind[subject] = now + debt
        kind.move_to_end(subject)

    def _make_room(self, kind: OrderedDict[str, int], now: int) -> None:
        # Two looks for each new debt: what is paid off goes sooner than new ones come.
        for subject in list(islice(kind, 2)):
            if kind[subject] > now:
                break
            del kind[subject]
        if len(kind) >= self._bound:
            del kind[min(islice(kind, _LOOKED_AT), key=kind.__getitem__)]


class CacheAway(Exception):
    """Redis can't be asked now."""


class Scripts(Protocol):
    """The one thing that is asked of the cache (core/cache.py)."""

    @property
    def up(self) -> bool:
        """Whether asking makes sense at this moment."""

    async def run(self, script: str, keys: Sequence[str], arguments: Sequence[int]) -> list[Any]:
        """Run the Lua `script` in one round trip; CacheAway."""


class SharedCounts:
    """Debts that all instances share."""

    def __init__(self, cache: Scripts) -> None:
        self._cache = cache
        self._waiting: list[tuple[Sequence[Charge], Deferred[Outcome]]] = []
        self._running = False

    async def charge(self, charges: Sequence[Charge]) -> Outcome:
        """Add all of these charges, or none where one does not fit; CacheAway after 0.4 s at the latest."""
        if not self._cache.up or len(self._waiting) >= GATHERED:
            raise CacheAway
        outcome: Deferred[Outcome] = Deferred()
        self._waiting.append((charges, outcome))
        if not self._running:
            self._running = True
            ensureDeferred(self._run())
        return await outcome

    async def _run(self) -> None:
        try:
            await self._run_all()
        finally:
            self._running = False

    async def _run_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            try:
                outcomes = await self._ask([charges for charges, _ in batch])
            except Exception as error:
                if not isinstance(error, CacheAway):
                    log.failure("limits can't be judged by Redis")
                for _, waiting in batch:
                    waiting.errback(CacheAway())
                continue
            for (_, waiting), outcome in zip(batch, outcomes, strict=True):
                waiting.callback(outcome)

    async def _ask(self, batch: Sequence[Sequence[Charge]]) -> list[Outcome]:
        keys: list[str] = []
        arguments: list[int] = []
        for charges in batch:
            arguments.append(len(charges))
            for charge in charges:
                keys.append(f"{PREFIX}{charge.kind}:{charge.subject}")
                arguments += (charge.increment, charge.bound, int(charge.forced))
        answer = iter(await self._cache.run(SCRIPT, keys, arguments))
        return [Outcome(next(answer) == 1, [int(next(answer)) for _ in charges]) for charges in batch]


# ARGV: for each group of charges how many they are, then increment, bound and forced of each; KEYS: theirs in
# the same order. Answers for each group 1 or 0, then its debts. It is `settle`, and `LocalCounts.charge`.
SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer, key, at = {}, 0, 1
while at <= #ARGV do
  local count = tonumber(ARGV[at])
  local fits, debts, afters = 1, {}, {}
  at = at + 1
  for i = 1, count do
    local increment, bound = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
    local debt = math.max((tonumber(redis.call('GET', KEYS[key + i]) or now) or now) - now, 0)
    local after = debt + increment
    if after > bound then
      if ARGV[at + 2] == '1' then after = math.max(debt, bound) else fits = 0 end
    end
    debts[i], afters[i] = debt, math.max(after, 0)
    at = at + 3
  end
  answer[#answer + 1] = fits
  for i = 1, count do
    local after = afters[i]
    if fits == 1 and after ~= debts[i] then
      if after > 0 then
        local lives = string.format('%.0f', math.ceil(after / 1000))
        redis.call('SET', KEYS[key + i], string.format('%.0f', now + after), 'PX', lives)
      else
        redis.call('DEL', KEYS[key + i])
      end
      debts[i] = after
    end
    answer[#answer + 1] = debts[i]
  end
  key = key + count
end
return answer
"""
