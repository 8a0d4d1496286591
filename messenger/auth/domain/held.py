"""Passwords that a logged-in user states once more, before something that can't be undone."""

from messenger.auth.domain.rules import password_bytes
from messenger.auth.ports import Credentials, Guesser, Guesses, Note, Passwords, Store
from messenger.core.identity import Identity
from messenger.wire.errors import Code, Problem


class StatedPasswords:
    """Judges them; a wrong one counts as a guess."""

    def __init__(self, store: Store, passwords: Passwords, guesses: Guesses, note: Note) -> None:
        self._store = store
        self._passwords = passwords
        self._guesses = guesses
        self._note = note

    async def held(self, who: Identity, password: str, address: str) -> Credentials:
        """The bearer's credentials, once the password has held; Problem `forbidden` or `rate_limited`."""
        found = await self._store.credentials_of(who.user_id)
        guesser = Guesser(found.user.username if found else who.user_id, address, who.device_id)
        stored = found.password_hash if found else None
        if not await self._guesses.judge(
            guesser, lambda: self._passwords.matches(password_bytes(password), stored)
        ):
            self._note("password_wrong", user_id=who.user_id)
            raise wrong_password()
        assert found is not None
        return found


def wrong_password() -> Problem:
    """What a wrong password is answered, where a session stands."""
    return Problem(Code.forbidden, "The password is wrong.")
