"""How a user's password is derived, for anyone who wants to log in as that user.

Whoever asks has shown nothing yet, so the answer must not tell which names exist. A name that nobody has, or
that nobody has any more, is answered as if a client of today had registered it: today's parameters, and a
salt that is an HMAC of the name under a key that all instances share and that lasts, backups included. A text
that is no username is answered in the same way. (That a user's password is not derived, `null`, does show; it
is so only for accounts whose clients are older than this.)
"""

import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING

from messenger.auth.domain.rules import folded_username
from messenger.wire.auth import Kdf, KdfAnswer
from messenger.wire.codec import Binary

if TYPE_CHECKING:
    from messenger.auth.store.accounts import AccountStore

# What clients of today register with (messenger/client/e2e/password.py).
MEMORY_KIB = 65_536
PASSES = 3
LANES = 1
SALT_BYTES = 16


class Derivations:
    """Answers for all names; `key` gives the key of the salts, 32 bytes, the same on all instances."""

    def __init__(self, accounts: "AccountStore", key: Callable[[], bytes]) -> None:
        self._accounts = accounts
        self._key = key

    async def of(self, username: str) -> KdfAnswer:
        """How the password of this name is derived, whether or not a user has the name."""
        name = folded_username(username)
        # Made in any case, so that both kinds of names take the same time.
        nobodys = self._nobodys(username if name is None else name)
        found = None if name is None else await self._accounts.derivation(name)
        return found or KdfAnswer(kdf=nobodys)

    def _nobodys(self, name: str) -> Kdf:
        text = name.encode("utf-8", "surrogatepass")
        salt = Binary(hmac.digest(self._key(), text, "sha256")[:SALT_BYTES])
        return Kdf(algorithm="argon2id", memory_kib=MEMORY_KIB, passes=PASSES, lanes=LANES, salt=salt)
