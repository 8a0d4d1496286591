"""Accounts, devices, sessions and second factors: what the rules judge, and what becomes of it.

Where a step may be refused for one reason its store answers None or False; where for several, by a value of
an enum, which the rules turn into a Problem.

Times are datetimes with a zone where they come from the store (one clock for all instances: the database's),
`auth_time` is in seconds since 1970, life spans are in seconds. Hashes are SHA-256.

A second factor has a kind; today there is `totp`. WebAuthn would be another kind with its own secret and
several rows for each user: whatever says "this user has a second factor" asks for any confirmed one.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum

from messenger.core.outgoing import Outgoing
from messenger.wire.auth import Kdf, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The settings of the rules. Life spans are in seconds; `registration` is open, invite or closed."""

    registration: str
    access_token: int
    refresh_token: float
    devices: int
    device_unseen: float


# accounts


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be stored. `invite_hash` names the invite that it uses up, None if none is needed; `kdf`
    says how its password is derived, None if it is not."""

    user_id: str
    username: str
    password_hash: str
    device_name: str | None
    invite_hash: bytes | None
    kdf: Kdf | None


class NotAdded(Enum):
    """Why an account was not stored."""

    username_taken = "username_taken"
    invite_refused = "invite_refused"  # there is none, or it is used up or too old


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user who can log in."""

    user: User
    password_hash: str


# sessions


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session to be stored; it lives `lifetime` seconds, the first access token `token_lifetime`."""

    session_id: str
    device_id: str
    auth_time: int
    refresh_hash: bytes
    lifetime: float
    token_lifetime: float


@dataclass(frozen=True, slots=True)
class LoginState:
    """A user and a device at the moment of a login, under the user's lock. None: the user can't log in any
    more."""

    password_hash: str | None
    device_ids: frozenset[str]
    second_factor: bool = False


class LoginVerdict(Enum):
    """The outcome of a login whose password was right, or of the code that completes it."""

    new_device = "new_device"
    known_device = "known_device"
    void = "void"  # the password was changed meanwhile, or the challenge ended
    second_factor = "second_factor"  # is asked for
    wrong_code = "wrong_code"
    no_such_device = "no_such_device"
    device_limit = "device_limit"

    @property
    def opens(self) -> bool:
        """Whether it opens the session."""
        return self in (LoginVerdict.new_device, LoginVerdict.known_device)


@dataclass(frozen=True, slots=True)
class SessionState:
    """A session at the moment a refresh token of it is presented, under the session's lock."""

    refresh_hash: bytes
    previous_hash: bytes | None
    spent_at: datetime | None
    expires_at: datetime
    end_reason: str | None
    now: datetime


class RefreshVerdict(Enum):
    """The outcome of presenting a refresh token."""

    spend = "spend"
    repeat = "repeat"
    reused = "reused"
    removed = "removed"
    ended = "ended"


@dataclass(frozen=True, slots=True)
class Spending:
    """A refresh token's hash and its successor's, and the life spans that a refresh starts anew."""

    session_id: str
    token_hash: bytes
    successor_hash: bytes
    lifetime: float
    token_lifetime: float


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A refresh that was judged, with whose it was, and what to tell of it."""

    verdict: RefreshVerdict
    user: User
    device_id: str
    auth_time: int
    events: list[Outgoing]


class EndReason(StrEnum):
    """Why a session ended."""

    logout = "logout"
    replaced = "replaced"
    reused = "reused"
    password = "password"  # noqa: S105 - a reason, no secret
    removed = "removed"
    deleted = "deleted"
    disabled = "disabled"
    admin = "admin"


# second factors


@dataclass(frozen=True, slots=True)
class TotpFactor:
    """A user's TOTP secret, sealed; `last_step` is the latest step whose code was served, -1 before."""

    secret: bytes
    last_step: int


class Enrolment(Enum):
    """The outcome of a code that was to confirm a TOTP secret."""

    confirmed = "confirmed"
    wrong_code = "wrong_code"
    nothing_waits = "nothing_waits"


@dataclass(frozen=True, slots=True)
class NewChallenge:
    """A login whose password was right and that waits for a second factor, `lifetime` seconds and `tries`
    wrong codes long. `credential` is a hash of the password's hash: a changed password voids the challenge.
    """

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
class Answer:
    """A judged answer to a challenge. One that opens the session uses up the TOTP code of `step`, or the
    recovery code of this hash; a wrong code costs a try; any other verdict leaves everything as it was."""

    verdict: LoginVerdict
    step: int | None = None
    recovery_hash: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that was judged, with how many tries are left, and what to tell of it."""

    answer: Answer
    tries_left: int
    events: list[Outgoing]


# signing keys


@dataclass(frozen=True, slots=True)
class NewKey:
    """A signing key to be stored: its public part, and its private part sealed."""

    kid: str
    public_key: bytes
    private_key: bytes


# guesses


@dataclass(frozen=True, slots=True)
class Guesser:
    """Who states a password for the account `username`, which need not exist.

    `device_id` is a device of that user with a live session, where one asks.
    """

    username: str
    address: str
    device_id: str | None = None
