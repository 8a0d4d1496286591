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
        self._pepper = pepper
        # What an unknown user's password is compared with; no password has this hash.
        self._nobody = "$2b$" + f"{cost:02d}$" + "." * 53

    async def hash(self, password: bytes) -> str:
        """A fresh hash; Problem `unavailable` when too many wait."""
        return await self._threads.run(fresh_hash, password, self._cost, self._pepper)

    async def matches(self, password: bytes, stored: str | None) -> bool:
        """Whether `stored` is this password's; None costs as much as a wrong one. Problem `unavailable`."""
        text = self._nobody if stored is None else stored
        peppered = text.startswith(_PEPPERED) if stored is not None else bool(self._pepper)
        digest = _digest(password, self._pepper if peppered else "")
        right = await self._threads.run(_check, digest, text.removeprefix(_PEPPERED))
        return right and stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether `stored` was made with other parameters than today's."""
        current = (_PEPPERED if self._pepper else "") + f"$2b${self._cost:02d}$"
        return not stored.startswith(current)


def fresh_hash(password: bytes, cost: int, pepper: str = "") -> str:
    """A fresh hash at `cost` (log2 of its rounds), with `pepper` unless that is empty, worked out at once:
    for a thread, or a process that serves nobody."""
    salted = bcrypt.hashpw(_digest(password, pepper), bcrypt.gensalt(cost)).decode("ascii")
    return (_PEPPERED if pepper else "") + salted


def _digest(password: bytes, pepper: str) -> bytes:
    if pepper:
        return b64encode(hmac.digest(pepper.encode("utf-8"), password, "sha256"))
    return b64encode(sha256(password).digest())


def _check(digest: bytes, stored: str) -> bool:
    return bcrypt.checkpw(digest, stored.encode("ascii"))
