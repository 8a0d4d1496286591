"""What the domain knows of stored things, and what it wants of the world around it.

Times are datetimes with a zone where they come from the store (one clock for all instances: the database's),
`auth_time` is in seconds since 1970, life spans are in seconds. Hashes are SHA-256.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from messenger.core.identity import Identity
from messenger.wire.auth import Device, Kdf, User, VerificationKey
from messenger.wire.events import DeviceChanged, SessionEnded, UserDeleted, UserRemoval

Event = SessionEnded | DeviceChanged | UserDeleted | UserRemoval


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event whose outbox row is committed, on its way to the bus."""

    event_id: str
    subject: str
    event: Event


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


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user who can log in."""

    user: User
    password_hash: str


@dataclass(frozen=True, slots=True)
class LoginState:
    """What stands at the moment of a login, under the user's lock. None: the user can't log in any more."""

    password_hash: str | None
    device_ids: frozenset[str]
    second_factor: bool = False


@dataclass(frozen=True, slots=True)
class SessionState:
    """A session at the moment a refresh token of it is presented, under the session's lock."""

    refresh_hash: bytes
    previous_hash: bytes | None
    spent_at: datetime | None
    expires_at: datetime
    end_reason: str | None
    now: datetime


class Verdict(StrEnum):
    """What a presented refresh token amounts to."""

    spend = "spend"
    repeat = "repeat"
    reused = "reused"
    removed = "removed"
    ended = "ended"


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
class Spending:
    """A refresh token's hash and its successor's, and the life spans that a refresh starts anew."""

    session_id: str
    token_hash: bytes
    successor_hash: bytes
    lifetime: float
    token_lifetime: float


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What came of a presented refresh token."""

    verdict: Verdict
    user: User
    device_id: str
    auth_time: int
    events: list[Outgoing]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an administrator may set. Life spans are in seconds; `registration` is open, invite or closed."""

    registration: str
    access_token: int
    refresh_token: float
    devices: int
    device_unseen: float


class InviteRefused(Exception):
    """There is no such invite, or it is used up or too old."""


class Store(Protocol):
    """Accounts, devices and sessions, each method atomic. Events come back once they are committed."""

    async def invite_good(self, invite_hash: bytes) -> bool:
        """Whether the invite of this hash may be spent."""

    async def add_account(self, account: NewAccount, session: NewSession) -> User | None:
        """The new user, or None where the name is taken. Raises InviteRefused."""

    async def credentials(self, username: str) -> Credentials | None:
        """The user of this name, unless deleted or disabled."""

    async def credentials_of(self, user_id: str) -> Credentials | None:
        """The user of this id, unless deleted or disabled."""

    async def open_session(
        self, user_id: str, session: NewSession, device_name: str | None, rule: Callable[[LoginState], bool]
    ) -> list[Outgoing]:
        """Store the session and end its device's older one. `rule` raises to refuse, and says whether the
        session's device is a new one."""

    async def refresh(self, spending: Spending, rule: Callable[[SessionState], Verdict]) -> Refreshed | None:
        """Do what `rule` decides; None where there is no such session or no such user."""

    async def end_session(self, session_id: str) -> list[Outgoing]:
        """Log out."""

    async def set_password(
        self, user_id: str, old_hash: str, new_hash: str, kdf: Kdf | None, keep_session: str
    ) -> list[Outgoing] | None:
        """Change the password and how it is derived, and end all sessions but one; None where `old_hash` is
        no longer the user's."""

    async def rehash(self, user_id: str, old_hash: str, new_hash: str) -> bool:
        """Store the same password's new hash; False where the old one is no longer the user's."""

    async def delete_account(self, user_id: str, password_hash: str) -> list[Outgoing] | None:
        """Delete all but the name; None where the hash is no longer the user's."""

    async def devices(self, user_id: str, current: str) -> list[Device]:
        """The user's devices, oldest first; `current` is marked."""

    async def remove_device(self, user_id: str, device_id: str) -> list[Outgoing] | None:
        """None where the user has no such device."""

    async def add_ticket(self, ticket_hash: bytes, identity: Identity, lifetime: float) -> bool:
        """Store a ticket; False where the bearer's session has ended."""

    async def users(self, user_ids: Sequence[str]) -> list[User]:
        """Those that exist."""

    async def user_named(self, username: str) -> User | None:
        """The user of this name, unless deleted."""

    async def name_taken(self, username: str) -> bool:
        """Whether the name was ever given out."""

    async def derivation(self, username: str) -> tuple[Kdf | None] | None:
        """How the password of the user of this name is derived, if it is; None where there is no such user,
        or it was deleted."""

    async def sweep(self, unseen: float) -> list[Outgoing]:
        """Remove devices not seen for `unseen` seconds, and what has expired; a bounded number at a time."""


class Passwords(Protocol):
    """Slow hashes of passwords."""

    async def hash(self, password: bytes) -> str:
        """A fresh hash; Problem `unavailable` when too many wait."""

    async def matches(self, password: bytes, stored: str | None) -> bool:
        """Whether `stored` is this password's; None costs as much as a wrong one. Problem `unavailable`."""

    def outdated(self, stored: str) -> bool:
        """Whether `stored` was made with other parameters than today's."""


class AccessTokens(Protocol):
    """Signs access tokens."""

    def access_token(self, identity: Identity, issued_at: int) -> str:
        """A token for `identity`; times in seconds since 1970."""

    async def verification_keys(self) -> list[VerificationKey]:
        """The public keys whose tokens are good."""


@dataclass(frozen=True, slots=True)
class Guesser:
    """Who states a password for the account `username`, which need not exist.

    `device_id` is a device of that user with a live session, where one asks.
    """

    username: str
    address: str
    device_id: str | None = None


class Guesses(Protocol):
    """Bounds how many wrong passwords are tried."""

    async def judge(self, guesser: Guesser, compare: Callable[[], Awaitable[bool]]) -> bool:
        """What `compare` says of a password; Problem `rate_limited` where it may not be asked."""

    async def trust(self, username: str, address: str) -> None:
        """A session of this user is used from this address."""


class Note(Protocol):
    """Where security events go: a log line and a count."""

    def __call__(self, event: str, **ids: str) -> None:
        """`event` is one of a few words, `ids` say whom it concerns."""


@dataclass(frozen=True, slots=True)
class Around:
    """What all rules need: `tell` sends committed events, `note` takes security events, `clock` gives
    seconds since 1970, `new_id` a fresh UUID."""

    tell: Callable[[list[Outgoing]], None]
    note: Note
    clock: Callable[[], float]
    new_id: Callable[[], str]
