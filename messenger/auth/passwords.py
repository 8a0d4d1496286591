"""Slow hashes of passwords: bcrypt, in threads of its own.

bcrypt reads 72 bytes and stops at a zero byte, so it is given base64 of a SHA-256 of the password: every
byte counts. With a pepper (a secret outside the database) it is an HMAC-SHA-256 instead. A stored hash says
how it was made: `$2b$...` without a pepper, `p$2b$...` with one; either is good, and `outdated` tells which
to make anew.

bcrypt lets go of the GIL; the threads and the queue before them are bounded (core/threads.py).
"""

import hmac
from base64 import b64encode
from hashlib import sha256

import bcrypt

from messenger.core.threads import Threads

_PEPPERED = "p"


class BcryptPasswords:
    """bcrypt at `cost` (log2 of its rounds), with `pepper` unless that is empty."""

    def __init__(self, threads: Threads, cost: int, pepper: str = "") -> None:
        self._threads = threads
        self._cost = cost
        self._pepper = pepper.encode("utf-8")
        # What an unknown user's password is compared with; no password has this hash.
        self._nobody = "$2b$" + f"{cost:02d}$" + "." * 53

    async def hash(self, password: bytes) -> str:
        """A fresh hash; Problem `unavailable` when too many wait."""
        prefix = _PEPPERED if self._pepper else ""
        digest = self._digest(password, bool(self._pepper))
        return prefix + await self._threads.run(_hash, digest, self._cost)

    async def matches(self, password: bytes, stored: str | None) -> bool:
        """Whether `stored` is this password's; None costs as much as a wrong one. Problem `unavailable`."""
        text = self._nobody if stored is None else stored
        peppered = text.startswith(_PEPPERED) if stored is not None else bool(self._pepper)
        digest = self._digest(password, peppered)
        held = await self._threads.run(_check, digest, text.removeprefix(_PEPPERED))
        return held and stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether `stored` was made with other parameters than today's."""
        current = (_PEPPERED if self._pepper else "") + f"$2b${self._cost:02d}$"
        return not stored.startswith(current)

    def _digest(self, password: bytes, peppered: bool) -> bytes:
        if peppered:
            return b64encode(hmac.digest(self._pepper, password, "sha256"))
        return b64encode(sha256(password).digest())


def _hash(digest: bytes, cost: int) -> str:
    return bcrypt.hashpw(digest, bcrypt.gensalt(cost)).decode("ascii")


def _check(digest: bytes, stored: str) -> bool:
    return bcrypt.checkpw(digest, stored.encode("ascii"))
