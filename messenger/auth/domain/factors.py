"""The rules of second factors: how a user gets one, and gets rid of it.

A TOTP secret is asked of nobody before its user has confirmed it by a code, so that nobody locks themselves
out by half; that code is served, and no other use of it is. The secret is stored sealed, and shown once.
"""

from typing import TYPE_CHECKING

from messenger.auth.domain.sessions import factor_name
from messenger.auth.model import Enrolment, TotpFactor
from messenger.auth.totp import (
    enrolment_uri,
    new_recovery_codes,
    new_secret,
    recovery_hash,
    secret_text,
    step_of,
)
from messenger.core.clock import Clock
from messenger.core.identity import Identity
from messenger.wire.auth import PasswordOnceMore, RecoveryCodes, TotpCode, TotpSecret
from messenger.wire.errors import Code, Problem, not_found

if TYPE_CHECKING:
    from messenger.auth.domain.reauthentication import Reauthentication
    from messenger.auth.security_log import SecurityLog
    from messenger.auth.signing import Seal
    from messenger.auth.store.factors import FactorStore


class Factors:
    """TOTP with recovery codes. `issuer` is the name that authenticator apps show."""

    def __init__(
        self,
        factors: "FactorStore",
        seal: "Seal",
        reauthentication: "Reauthentication",
        issuer: str,
        clock: Clock,
        security_log: "SecurityLog",
    ) -> None:
        self._factors = factors
        self._seal = seal
        self._reauthentication = reauthentication
        self._issuer = issuer
        self._clock = clock
        self._security_log = security_log

    async def enrol(self, who: Identity, body: PasswordOnceMore, address: str = "") -> TotpSecret:
        """A fresh secret, which waits to be confirmed. Problem `forbidden` for a wrong password, `conflict`
        where a confirmed one stands.

        Whoever has only a session could lock its user out, or make a stolen session outlast a password.
        """
        username = (await self._reauthentication.check(who, body.password, address)).user.username
        secret = new_secret()
        sealed = self._seal.close(secret, factor_name(who.user_id))
        if not await self._factors.enrol_totp(who.user_id, sealed):
            raise Problem(Code.conflict, "An authenticator is set up already; remove it first.")
        uri = enrolment_uri(secret, self._issuer, username)
        return TotpSecret(secret=secret_text(secret), uri=uri)

    async def confirm(self, who: Identity, body: TotpCode) -> RecoveryCodes:
        """Ask for codes from now on. Problem `forbidden` for a wrong one, `conflict` where nothing waits."""
        codes = new_recovery_codes()
        hashes = [digest for code in codes if (digest := recovery_hash(who.user_id, code)) is not None]

        def rule(factor: TotpFactor) -> int | None:
            secret = self._seal.open(factor.secret, factor_name(who.user_id))
            return step_of(secret, body.code, self._clock(), factor.last_step)

        enrolment = await self._factors.confirm_totp(who.user_id, rule, hashes)
        if enrolment is Enrolment.nothing_waits:
            raise Problem(Code.conflict, "No authenticator waits to be confirmed.")
        if enrolment is Enrolment.wrong_code:
            raise Problem(Code.forbidden, "The code is wrong.")
        self._security_log.write("second_factor_added", user_id=who.user_id)
        return RecoveryCodes(codes)

    async def remove(self, who: Identity, body: PasswordOnceMore, address: str = "") -> None:
        """Ask for no codes any more. Problem `forbidden` for a wrong password, `not_found` without one."""
        await self._reauthentication.check(who, body.password, address)
        if not await self._factors.remove_totp(who.user_id):
            raise not_found("No authenticator is set up.")
        self._security_log.write("second_factor_removed", user_id=who.user_id)
