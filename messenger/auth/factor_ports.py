"""Second factors as they are stored, and what their rules want of a store and of a seal.

A factor has a kind; today there is `totp`. WebAuthn would be another kind with its own secret and several
rows for each user: whatever says "this user has a second factor" asks for any confirmed one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from messenger.auth.ports import LoginState, NewSession, Outgoing
from messenger.wire.auth import User


@dataclass(frozen=True, slots=True)
class TotpFactor:
    """A user's TOTP secret, sealed; `last_step` is the latest step whose code was served, -1 before."""

    secret: bytes
    last_step: int


@dataclass(frozen=True, slots=True)
class NewChallenge:
    """A login whose password held and that waits for a second factor, `lifetime` seconds and `tries` wrong
    codes long. `credential` is a hash of the password's hash: a changed password voids the challenge."""

    challenge_hash: bytes
    user_id: str
    credential: bytes
    device_id: str | None
    device_name: str | None
    tries: int
    lifetime: float


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge that stands; `device_id` is the device that the login asked to go on as."""

    user: User
    credential: bytes
    device_id: str | None
    tries_left: int


@dataclass(frozen=True, slots=True)
class ChallengeState:
    """A challenge and what its answer is judged by, under the user's lock."""

    challenge: Challenge
    login: LoginState
    totp: TotpFactor | None
    recovery_hashes: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Passed:
    """A right code: what it used up, the session that it opens, and whether for a new device."""

    session: NewSession
    new_device: bool
    step: int | None = None
    recovery_hash: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of an answered challenge; `passed` is None for a wrong code."""

    passed: Passed | None
    tries_left: int
    events: list[Outgoing]


class FactorStore(Protocol):
    """Factors, recovery codes and challenges, each method atomic."""

    async def enrol_totp(self, user_id: str, sealed: bytes) -> bool:
        """Store a secret that waits to be confirmed, in place of another such; False where a confirmed one
        stands or the user is gone."""

    async def confirm_totp(
        self, user_id: str, rule: Callable[[TotpFactor], int | None], recovery_hashes: list[bytes]
    ) -> bool | None:
        """Confirm the waiting secret where `rule` gives a step; False where it gives None, None where
        nothing waits. The recovery codes replace all earlier ones."""

    async def remove_totp(self, user_id: str) -> bool:
        """Remove the factor, confirmed or not, its recovery codes and all challenges; False where there is
        none."""

    async def add_challenge(self, challenge: NewChallenge) -> None:
        """Store a challenge."""

    async def challenge(self, challenge_hash: bytes) -> Challenge | None:
        """A challenge that has neither expired nor run out of tries."""

    async def answer_challenge(
        self, challenge_hash: bytes, rule: Callable[[ChallengeState], Passed | None]
    ) -> Answered | None:
        """Do what `rule` decides: None counts as a try; Passed uses up code and challenge and opens the
        session. What `rule` raises leaves everything as it was. None where the challenge is gone."""


class SecretSeal(Protocol):
    """Encrypts what is stored."""

    def close(self, raw: bytes, name: str) -> bytes:
        """`raw` as it is stored under `name`."""

    def open(self, stored: bytes, name: str) -> bytes:
        """What `close` was given under the same name."""
