"""The rules of second factors: how a user gets one, and gets rid of it.

A TOTP secret is asked of nobody before its user has confirmed it by a code, so that nobody locks themselves
out by half; that code is served, and no other use of it is. The secret is stored sealed, and shown once.
"""

from messenger.auth.domain.held import StatedPasswords
from messenger.auth.domain.sessions import factor_name
from messenger.auth.factor_ports import FactorStore, SecretSeal, TotpFactor
from messenger.auth.ports import Around
from messenger.auth.totp import (
    enrolment_uri,
    new_recovery_codes,
    new_secret,
    recovery_hash,
    secret_text,
    step_of,
)
from messenger.core.identity import Identity
from messenger.wire.auth import PasswordOnceMore, RecoveryCodes, TotpCode, TotpSecret
from messenger.wire.errors import Code, Problem, not_found


class Factors:
    """TOTP with recovery codes. `issuer` is the name that authenticator apps show."""

    def __init__(
        self,
        factors: FactorStore,
        seal: SecretSeal,
        stated: StatedPasswords,
        issuer: str,
        around: Around,
    ) -> None:
        self._factors = factors
        self._seal = seal
        self._stated = stated
        self._issuer = issuer
        self._around = around

    async def enrol(self, who: Identity, body: PasswordOnceMore, address: str = "") -> TotpSecret:
        """A fresh secret, which waits to be confirmed. Problem `forbidden` for a wrong password, `conflict`
        where a confirmed one stands.

        Whoever has only a session could lock its user out, or make a stolen session outlast a password.
        """
        username = (await self._stated.held(who, body.password, address)).user.username
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
            return step_of(secret, body.code, self._around.clock(), factor.last_step)

        confirmed = await self._factors.confirm_totp(who.user_id, rule, hashes)
        if confirmed is None:
            raise Problem(Code.conflict, "No authenticator waits to be confirmed.")
        if not confirmed:
            raise Problem(Code.forbidden, "The code is wrong.")
        self._around.note("second_factor_added", user_id=who.user_id)
        return RecoveryCodes(codes)

    async def remove(self, who: Identity, body: PasswordOnceMore, address: str = "") -> None:
        """Ask for no codes any more. Problem `forbidden` for a wrong password, `not_found` without one."""
        await self._stated.held(who, body.password, address)
        if not await self._factors.remove_totp(who.user_id):
            raise not_found("No authenticator is set up.")
        self._around.note("second_factor_removed", user_id=who.user_id)
