"""Passwords that a logged-in user states once more, before something that can't be undone."""

from typing import TYPE_CHECKING

from messenger.auth.domain.rules import password_bytes
from messenger.auth.model import Credentials, Guesser
from messenger.core.identity import Identity
from messenger.wire.errors import Code, Problem

if TYPE_CHECKING:
    from messenger.auth.guesses import PasswordGuesses
    from messenger.auth.passwords import BcryptPasswords
    from messenger.auth.security_log import SecurityLog
    from messenger.auth.store.accounts import AccountStore


class Reauthentication:
    """Checks them; a wrong one counts as a guess."""

    def __init__(
        self,
        accounts: "AccountStore",
        passwords: "BcryptPasswords",
        guesses: "PasswordGuesses",
        security_log: "SecurityLog",
    ) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._guesses = guesses
        self._security_log = security_log

    async def check(self, who: Identity, password: str, address: str) -> Credentials:
        """The bearer's credentials, if the password is right; Problem `forbidden` or `rate_limited`."""
        found = await self._accounts.credentials_of(who.user_id)
        guesser = Guesser(found.user.username if found else who.user_id, address, who.device_id)
        stored = found.password_hash if found else None
        async with self._guesses.reserve(guesser) as guess:
            right = await self._passwords.matches(password_bytes(password), stored)
            await self._guesses.settle(guess, right=right)
        if not right or found is None:
            self._security_log.write("password_wrong", user_id=who.user_id)
            raise wrong_password()
        return found


def wrong_password() -> Problem:
    """Where a session stands, the answer to a wrong password."""
    return Problem(Code.forbidden, "The password is wrong.")
