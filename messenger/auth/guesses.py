"""Guesses of passwords: how many wrong ones an account and an address may have, and who is judged apart.

Every comparison of a password is counted before it is made, so that many at once get no more than many in a
row, and given back when it turns out right. What is refused costs no hash. An account is a name, whether or
not a user has it: an unknown name is refused exactly when a known one would be.

- Strangers share the account's allowance, `[limits] guess`, whichever addresses they come from, and each
  address has one for all accounts, `guess_address`.
- Wrong ones cost more and more time: after `FREE` that are not forgotten yet the next guess waits 1 second,
  then 2, 4, 8 and so on, up to the time in which the rate forgets one (6 minutes for 10/h).
- Who is at it from outside must not lock the owner out. An address (an IPv6 one by its /64) from which the
  user logged in, registered or refreshed a session within `TRUST_DAYS` is known to the account, and has an
  allowance of its own there, as large, with its own delays; it is judged by that alone. So is each device
  with a live session, when it states the password again. This is what OWASP calls device cookies, with the
  address in the cookie's place. What fails there counts for the others too, but is not judged by them.
- Sessions that stand go on: refresh tokens are no guesses.

So an attacker gets the account's allowance once, and once more for each network that the owner uses and the
attacker can use as well. Known addresses are kept as hashes, in Redis and in the process, and may be lost:
then an owner under attack waits like a stranger, unless a device of its own is still logged in there.
"""

from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256

from messenger.auth.ports import Guesser, Note
from messenger.core.limits import ENDLESS, SECOND, Charge, Limit, Limits, network_of, wait_for

FREE = 3
TRUST_DAYS = 30
_DAY = 86_400 * SECOND
_TRUST = TRUST_DAYS * _DAY
_LONGEST_SHIFT = 20


class PasswordGuesses:
    """The Guesses of messenger/auth/ports.py. `note` hears of refusals."""

    def __init__(self, limits: Limits, note: Note) -> None:
        self._limits = limits
        self._note = note
        self._account = limits.of("guess")
        self._address = limits.of("guess_address")

    async def judge(self, guesser: Guesser, compare: Callable[[], Awaitable[bool]]) -> bool:
        """What `compare` says of a password; Problem `rate_limited` where it may not be asked."""
        account, network = _hashed(guesser.username), network_of(guesser.address)
        own = await self._own(guesser, account)
        subject = own or account
        counted: list[Charge] = []
        charges: list[Charge] = []
        if self._account is not None:
            counted.append(self._account.charge(subject))
            charges.append(Charge("guess_delay", subject, 0, 0))
        if self._address is not None and own is None:
            counted.append(self._address.charge(network))
        charges = [*counted, *charges]
        taken = await self._limits.charge(charges)
        if not taken.allowed:
            raise self._refusal(charges, taken.debts)
        for charge in counted:
            self._limits.allowed[charge.kind] += 1
        try:
            held = await compare()
        except Exception:  # nothing was learnt about the password
            await self._limits.charge([_back(charge) for charge in counted])
            raise
        if held:
            known = self._trusted(guesser.username, guesser.address)
            await self._limits.charge([*(_back(charge) for charge in counted), *known])
        else:
            await self._failed(subject, account if own else None, network, taken.debts)
        return held

    async def trust(self, username: str, address: str) -> None:
        """A session of this user is used from `address`: who logs in from there is judged apart."""
        known = self._trusted(username, address)
        if known:
            await self._limits.charge(known)

    async def _own(self, guesser: Guesser, account: str) -> str | None:
        """Whose allowance counts instead of the account's, None for a stranger."""
        if self._account is None:
            return None
        if guesser.device_id is not None:
            return f"{account}/{guesser.device_id}"
        if not guesser.address:
            return None
        pair = _pair(guesser.username, guesser.address)
        question = (Charge("known", pair, 0, ENDLESS),)
        known = self._limits.local.fits(question).debts[0] or (await self._limits.charge(question)).debts[0]
        return pair if known else None

    async def _failed(self, subject: str, account: str | None, network: str, debts: Sequence[int]) -> None:
        """Delay the next guess; for one that was judged apart, count it where it was not judged."""
        charges: list[Charge] = []
        if self._account is not None:
            delay = _delay(self._account, debts[0])
            if delay:
                charges.append(Charge("guess_delay", subject, delay, delay, forced=True))
            if account is not None:
                charges.append(self._account.charge(account, forced=True))
        if self._address is not None and account is not None:
            charges.append(self._address.charge(network, forced=True))
        if charges:
            await self._limits.charge(charges)

    def _refusal(self, charges: Sequence[Charge], debts: Sequence[int]) -> Exception:
        self._note("guess_refused")
        waits = [wait_for((charge,), (debt,)) for charge, debt in zip(charges, debts, strict=True)]
        longest = max(waits)
        by_address = charges[waits.index(longest)].kind == "guess_address"
        limit = self._address if by_address else self._account
        assert limit is not None
        return limit.refuse(longest, "Too many wrong passwords.")

    def _trusted(self, username: str, address: str) -> list[Charge]:
        """What makes an address known; nothing where it was made so within a day."""
        if self._account is None or not address:
            return []
        pair = _pair(username, address)
        lasting = self._limits.local.fits((Charge("known", pair, 0, ENDLESS),)).debts[0]
        if lasting > _TRUST - _DAY:
            return []
        return [Charge("known", pair, _TRUST, _TRUST, forced=True)]


def _delay(limit: Limit, debt: int) -> int:
    """Microseconds to wait after a wrong guess that has left this debt."""
    wrong = -(-debt // limit.rate.increment)
    if wrong <= FREE:
        return 0
    return min(limit.rate.increment, SECOND << min(wrong - FREE - 1, _LONGEST_SHIFT))


def _back(charge: Charge) -> Charge:
    return charge._replace(increment=-charge.increment, bound=ENDLESS)


def _hashed(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _pair(username: str, address: str) -> str:
    return _hashed(f"{username}\0{network_of(address)}")
