"""The tables of accounts in memory, and what several of their stores (auth_memory.py)
do with them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from messenger.auth.model import (
    EndReason,
    LoginState,
    LoginVerdict,
    NewChallenge,
    NewSession,
)
from messenger.core.identity import Identity
from messenger.core.outgoing import Outgoing
from messenger.wire.auth import Kdf, User
from messenger.wire.events import Event, SessionEnded
from messenger.wire.times import moment_text
from tests.fakes import Clock, outgoing


@dataclass
class StoredUser:
    username: str
    password_hash: str | None
    created_at: datetime
    disabled: bool = False
    kdf: Kdf | None = None


@dataclass
class StoredSession:
    user_id: str
    device_id: str
    auth_time: int
    refresh_hash: bytes
    expires_at: datetime
    previous_hash: bytes | None = None
    spent_at: datetime | None = None
    end_reason: str | None = None


@dataclass
class StoredDevice:
    user_id: str
    name: str | None
    created_at: datetime
    seen: datetime


@dataclass
class StoredTotp:
    secret: bytes
    last_step: int = -1
    confirmed: bool = False


@dataclass
class StoredChallenge:
    given: NewChallenge
    tries_left: int
    expires_at: datetime


@dataclass
class Tables:
    """What is stored, and what several stores do with it."""

    clock: Clock
    accounts: dict[str, StoredUser] = field(default_factory=dict)
    devices: dict[str, StoredDevice] = field(default_factory=dict)
    sessions: dict[str, StoredSession] = field(default_factory=dict)
    tickets: dict[bytes, Identity] = field(default_factory=dict)
    invites: dict[bytes, int] = field(default_factory=dict)
    totp: dict[str, StoredTotp] = field(default_factory=dict)
    recovery: dict[str, set[bytes]] = field(default_factory=dict)
    challenges: dict[bytes, StoredChallenge] = field(default_factory=dict)

    def user(self, user_id: str) -> User:
        user = self.accounts[user_id]
        return User(user_id, user.username, moment_text(user.created_at))

    def login_state(self, user_id: str) -> LoginState:
        user = self.accounts[user_id]
        mine = frozenset(key for key, device in self.devices.items() if device.user_id == user_id)
        factor = self.totp.get(user_id)
        password_hash = None if user.disabled else user.password_hash
        return LoginState(password_hash, mine, factor is not None and factor.confirmed)

    def open(
        self, user_id: str, session: NewSession, device_name: str | None, verdict: LoginVerdict
    ) -> list[Outgoing]:
        ended: list[Event] = []
        if verdict is LoginVerdict.new_device:
            self.add_device(session.device_id, user_id, device_name)
        else:
            ended = self.end(EndReason.replaced, lambda one: one.device_id == session.device_id)
            device = self.devices[session.device_id]
            device.seen, device.name = self.clock.moment, device_name or device.name
        self.add_session(user_id, session)
        return outgoing(ended)

    def add_device(self, device_id: str, user_id: str, name: str | None) -> None:
        self.devices[device_id] = StoredDevice(user_id, name, self.clock.moment, self.clock.moment)

    def add_session(self, user_id: str, session: NewSession) -> None:
        live = [
            one
            for one in self.sessions.values()
            if one.device_id == session.device_id and one.end_reason is None
        ]
        assert not live, "one session a device"
        self.sessions[session.session_id] = StoredSession(
            user_id,
            session.device_id,
            session.auth_time,
            session.refresh_hash,
            self.clock.moment + timedelta(seconds=session.lifetime),
        )

    def end(self, reason: EndReason, chosen: Callable[[StoredSession], bool]) -> list[Event]:
        events: list[Event] = []
        for session_id, one in self.sessions.items():
            if one.end_reason is None and chosen(one):
                one.end_reason = reason
                events.append(
                    SessionEnded(session_id=session_id, user_id=one.user_id, device_id=one.device_id)
                )
        return events

    def remove_factors(self, user_id: str) -> bool:
        for key in [key for key, one in self.challenges.items() if one.given.user_id == user_id]:
            del self.challenges[key]
        self.recovery.pop(user_id, None)
        return self.totp.pop(user_id, None) is not None
