"""Guesses of passwords: how many wrong ones an account and an address may have, and who is judged apart.

Every comparison of a password is counted before it is made (`reserve`), so that many at once get no more than
many in a row, and given back when it turns out right, or when nothing was learnt: whatever is thrown, whoever
is cancelled. What is refused costs no hash. An account is a name, whether or not a user has it: an unknown
name is refused exactly when a known one would be.

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

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from messenger.auth.model import Guesser
from messenger.core.limits.gcra import ENDLESS, SECOND, Charge, wait_for
from messenger.core.limits.limits import Limit, Limits, network_of
from messenger.core.waits import shield

if TYPE_CHECKING:
    from messenger.auth.security_log import SecurityLog

FREE = 3
TRUST_DAYS = 30
_DAY = 86_400 * SECOND
_TRUST = TRUST_DAYS * _DAY
_LONGEST_SHIFT = 20

log = Logger()


@dataclass(slots=True)
class Guess:
    """A guess of a password. `own` is whose allowance it is judged by, None for the account's."""

    guesser: Guesser
    account: str
    network: str
    own: str | None
    reserved: list[Charge] = field(default_factory=list)
    debts: Sequence[int] = ()
    over: bool = False


class PasswordGuesses:
    """Bounds wrong passwords by `limits`; refusals are written to `security_log`."""

    def __init__(self, limits: Limits, security_log: "SecurityLog") -> None:
        self._limits = limits
        self._security_log = security_log
        self._account = limits.of("guess")
        self._address = limits.of("guess_address")

    @asynccontextmanager
    async def reserve(self, guesser: Guesser) -> AsyncGenerator[Guess]:
        """A guess that may be made, for the time of a `with`; Problem `rate_limited` where none may be.

        What is not settled by the end of it is given back: nothing was learnt about the password.
        """
        account, network = _hashed(guesser.username), network_of(guesser.address)
        guess = Guess(guesser, account, network, await self._own(guesser, account))
        try:
            await shield(self._reserve(guess))
            yield guess
        finally:
            guess.over = True
            self._give_back(guess)

    async def settle(self, guess: Guess, *, right: bool) -> None:
        """Say whether the password was right: then the guess costs nothing, and its address is known."""
        reserved, guess.reserved = guess.reserved, []
        if right:
            known = self._trusted(guess.guesser.username, guess.guesser.address)
            await self._charge([*map(_back, reserved), *known])
        else:
            await self._charge(self._penalty(guess))

    async def _reserve(self, guess: Guess) -> None:
        subject = guess.own or guess.account
        counted: list[Charge] = []
        delay: list[Charge] = []
        if self._account is not None:
            counted.append(self._account.charge(subject))
            delay.append(Charge("guess_delay", subject, 0, 0))
        if self._address is not None and guess.own is None:
            counted.append(self._address.charge(guess.network))
        taken = await self._limits.charge([*counted, *delay])
        if not taken.allowed:
            raise self._refusal([*counted, *delay], taken.debts)
        for charge in counted:
            self._limits.allowed[charge.kind] += 1
        guess.reserved, guess.debts = counted, taken.debts
        if guess.over:
            self._give_back(guess)

    def _give_back(self, guess: Guess) -> None:
        """Give back what is reserved; nobody waits, for who does may be gone."""
        reserved, guess.reserved = guess.reserved, []
        if reserved:
            ensureDeferred(self._limits.charge([_back(charge) for charge in reserved])).addErrback(
                lambda why: log.failure("a guess could not be given back", why)
            )

    async def _charge(self, charges: Sequence[Charge]) -> None:
        if charges:
            await shield(self._limits.charge(charges))

    async def trust(self, username: str, address: str) -> None:
        """A session of this user is used from `address`: who logs in from there is judged apart."""
        await self._charge(self._trusted(username, address))

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

    def _penalty(self, guess: Guess) -> list[Charge]:
        """Delay the next guess; count one that was judged apart where it was not judged."""
        charges: list[Charge] = []
        if self._account is not None:
            delay = _delay(self._account, guess.debts[0])
            if delay:
                subject = guess.own or guess.account
                charges.append(Charge("guess_delay", subject, delay, delay, forced=True))
            if guess.own is not None:
                charges.append(self._account.charge(guess.account, forced=True))
        if self._address is not None and guess.own is not None:
            charges.append(self._address.charge(guess.network, forced=True))
        return charges

    def _refusal(self, charges: Sequence[Charge], debts: Sequence[int]) -> Exception:
        self._security_log.write("guess_refused")
        waits = [wait_for((charge,), (debt,)) for charge, debt in zip(charges, debts, strict=True)]
        longest = max(waits)
        by_address = charges[waits.index(longest)].kind == "guess_address"
        limit = self._address if by_address else self._account
        assert limit is not None
        return limit.refuse(longest, "Too many wrong passwords.")

    def _trusted(self, username: str, address: str) -> list[Charge]:
        """The charge that makes an address known; none where it was made so within a day."""
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
