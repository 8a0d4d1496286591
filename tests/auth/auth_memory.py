"""The store of accounts in memory: the rules of the SQL, no engine."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from messenger.auth.factor_ports import Answered, Challenge, ChallengeState, NewChallenge, Passed, TotpFactor
from messenger.auth.ports import (
    Credentials,
    EndReason,
    Event,
    InviteRefused,
    LoginState,
    NewAccount,
    NewSession,
    Outgoing,
    Refreshed,
    SessionState,
    Spending,
    Verdict,
)
from messenger.core.identity import Identity
from messenger.wire.auth import Device, Kdf, User
from messenger.wire.events import DeviceChanged, SessionEnded, UserDeleted, UserRemoval
from messenger.wire.times import moment_text
from tests.fakes import outgoing

_outgoing = partial(outgoing, Outgoing)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


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
class MemoryStore:
    """The Store of messenger/auth/ports.py and the FactorStore of messenger/auth/factor_ports.py."""

    clock: Clock
    accounts: dict[str, StoredUser] = field(default_factory=dict)
    logins: dict[str, StoredDevice] = field(default_factory=dict)
    sessions: dict[str, StoredSession] = field(default_factory=dict)
    tickets: dict[bytes, Identity] = field(default_factory=dict)
    invites: dict[bytes, int] = field(default_factory=dict)
    totp: dict[str, StoredTotp] = field(default_factory=dict)
    recovery: dict[str, set[bytes]] = field(default_factory=dict)
    challenges: dict[bytes, StoredChallenge] = field(default_factory=dict)

    async def invite_good(self, invite_hash: bytes) -> bool:
        return self.invites.get(invite_hash, 0) > 0

    async def add_account(self, account: NewAccount, session: NewSession) -> User | None:
        if await self.name_taken(account.username):
            return None
        if account.invite_hash is not None:
            if not self.invites.get(account.invite_hash):
                raise InviteRefused
            self.invites[account.invite_hash] -= 1
        self.accounts[account.user_id] = StoredUser(
            account.username, account.password_hash, self.clock.moment, kdf=account.kdf
        )
        self._add_device(session.device_id, account.user_id, account.device_name)
        self._add_session(account.user_id, session)
        return self._user(account.user_id)

    async def credentials(self, username: str) -> Credentials | None:
        for user_id, user in self.accounts.items():
            if user.username == username:
                return await self.credentials_of(user_id)
        return None

    async def credentials_of(self, user_id: str) -> Credentials | None:
        user = self.accounts.get(user_id)
        if user is None or user.password_hash is None or user.disabled:
            return None
        return Credentials(self._user(user_id), user.password_hash)

    async def open_session(
        self, user_id: str, session: NewSession, device_name: str | None, rule: Callable[[LoginState], bool]
    ) -> list[Outgoing]:
        return self._open(user_id, session, device_name, rule(self._login_state(user_id)))

    def _login_state(self, user_id: str) -> LoginState:
        user = self.accounts[user_id]
        mine = frozenset(key for key, device in self.logins.items() if device.user_id == user_id)
        factor = self.totp.get(user_id)
        password_hash = None if user.disabled else user.password_hash
        return LoginState(password_hash, mine, factor is not None and factor.confirmed)

    def _open(
        self, user_id: str, session: NewSession, device_name: str | None, new_device: bool
    ) -> list[Outgoing]:
        ended: list[Event] = []
        if new_device:
            self._add_device(session.device_id, user_id, device_name)
        else:
            ended = self._end(EndReason.replaced, lambda one: one.device_id == session.device_id)
        self._add_session(user_id, session)
        return _outgoing(ended)

    async def enrol_totp(self, user_id: str, sealed: bytes) -> bool:
        factor = self.totp.get(user_id)
        if factor is not None and factor.confirmed:
            return False
        self.totp[user_id] = StoredTotp(sealed)
        return True

    async def confirm_totp(
        self, user_id: str, rule: Callable[[TotpFactor], int | None], recovery_hashes: list[bytes]
    ) -> bool | None:
        factor = self.totp.get(user_id)
        if factor is None or factor.confirmed:
            return None
        step = rule(TotpFactor(factor.secret, factor.last_step))
        if step is None:
            return False
        factor.confirmed, factor.last_step = True, step
        self.recovery[user_id] = set(recovery_hashes)
        return True

    async def remove_totp(self, user_id: str) -> bool:
        for key in [key for key, one in self.challenges.items() if one.given.user_id == user_id]:
            del self.challenges[key]
        self.recovery.pop(user_id, None)
        return self.totp.pop(user_id, None) is not None

    async def add_challenge(self, challenge: NewChallenge) -> None:
        expires_at = self.clock.moment + timedelta(seconds=challenge.lifetime)
        self.challenges[challenge.challenge_hash] = StoredChallenge(challenge, challenge.tries, expires_at)

    async def challenge(self, challenge_hash: bytes) -> Challenge | None:
        one = self.challenges.get(challenge_hash)
        if one is None or one.tries_left <= 0 or one.expires_at <= self.clock.moment:
            return None
        return Challenge(
            self._user(one.given.user_id), one.given.credential, one.given.device_id, one.tries_left
        )

    async def answer_challenge(
        self, challenge_hash: bytes, rule: Callable[[ChallengeState], Passed | None]
    ) -> Answered | None:
        challenge = await self.challenge(challenge_hash)
        if challenge is None:
            return None
        user_id, stored = challenge.user.user_id, self.challenges[challenge_hash]
        factor = self.totp.get(user_id)
        totp = TotpFactor(factor.secret, factor.last_step) if factor and factor.confirmed else None
        codes = self.recovery.get(user_id, set())
        passed = rule(ChallengeState(challenge, self._login_state(user_id), totp, frozenset(codes)))
        if passed is None:
            stored.tries_left -= 1
            return Answered(None, stored.tries_left, [])
        if passed.step is not None and factor is not None:
            factor.last_step = passed.step
        elif passed.recovery_hash is not None:
            codes.remove(passed.recovery_hash)
        del self.challenges[challenge_hash]
        events = self._open(user_id, passed.session, stored.given.device_name, passed.new_device)
        return Answered(passed, 0, events)

    async def refresh(self, spending: Spending, rule: Callable[[SessionState], Verdict]) -> Refreshed | None:
        one = self.sessions.get(spending.session_id)
        if one is None:
            return None
        now = self.clock.moment
        verdict = rule(
            SessionState(
                one.refresh_hash, one.previous_hash, one.spent_at, one.expires_at, one.end_reason, now
            )
        )
        ended: list[Event] = []
        if verdict is Verdict.spend:
            one.previous_hash, one.refresh_hash = spending.token_hash, spending.successor_hash
            one.spent_at, one.expires_at = now, now + timedelta(seconds=spending.lifetime)
            self.logins[one.device_id].seen = now
        elif verdict is Verdict.reused:
            ended = self._end(EndReason.reused, lambda other: other is one)
        return Refreshed(verdict, self._user(one.user_id), one.device_id, one.auth_time, _outgoing(ended))

    async def end_session(self, session_id: str) -> list[Outgoing]:
        one = self.sessions[session_id]
        return _outgoing(self._end(EndReason.logout, lambda other: other is one))

    async def set_password(
        self, user_id: str, old_hash: str, new_hash: str, kdf: Kdf | None, keep_session: str
    ) -> list[Outgoing] | None:
        if not await self.rehash(user_id, old_hash, new_hash):
            return None
        self.accounts[user_id].kdf = kdf
        kept = self.sessions[keep_session]
        return outgoing(
            Outgoing, self._end(EndReason.password, lambda one: one.user_id == user_id and one is not kept)
        )

    async def rehash(self, user_id: str, old_hash: str, new_hash: str) -> bool:
        if self.accounts[user_id].password_hash != old_hash:
            return False
        self.accounts[user_id].password_hash = new_hash
        return True

    async def delete_account(self, user_id: str, password_hash: str) -> list[Outgoing] | None:
        if self.accounts[user_id].password_hash != password_hash:
            return None
        self.accounts[user_id].password_hash = self.accounts[user_id].kdf = None
        events = self._end(EndReason.deleted, lambda one: one.user_id == user_id)
        for device_id in [key for key, device in self.logins.items() if device.user_id == user_id]:
            del self.logins[device_id]
            events.append(DeviceChanged(event="removed", user_id=user_id, device_id=device_id))
        return _outgoing([*events, UserDeleted(user_id=user_id), UserRemoval(user_id=user_id)])

    async def devices(self, user_id: str, current: str) -> list[Device]:
        return [
            Device(
                device_id=device_id,
                device_name=device.name,
                created_at=moment_text(device.created_at),
                last_seen_at=moment_text(device.seen),
                current=device_id == current,
            )
            for device_id, device in self.logins.items()
            if device.user_id == user_id
        ]

    async def remove_device(self, user_id: str, device_id: str) -> list[Outgoing] | None:
        device = self.logins.get(device_id)
        if device is None or device.user_id != user_id:
            return None
        del self.logins[device_id]
        events = self._end(EndReason.removed, lambda one: one.device_id == device_id)
        return outgoing(
            Outgoing, [*events, DeviceChanged(event="removed", user_id=user_id, device_id=device_id)]
        )

    async def add_ticket(self, ticket_hash: bytes, identity: Identity, lifetime: float) -> bool:
        if self.sessions[identity.session_id].end_reason is not None:
            return False
        self.tickets[ticket_hash] = identity
        return True

    async def users(self, user_ids: Any) -> list[User]:
        return [
            self._user(user_id)
            for user_id in user_ids
            if user_id in self.accounts and self.accounts[user_id].password_hash is not None
        ]

    async def user_named(self, username: str) -> User | None:
        found = await self.credentials(username)
        return found.user if found else None

    async def name_taken(self, username: str) -> bool:
        return any(user.username == username for user in self.accounts.values())

    async def derivation(self, username: str) -> tuple[Kdf | None] | None:
        for user in self.accounts.values():
            if user.username == username and user.password_hash is not None:
                return (user.kdf,)
        return None

    async def sweep(self, unseen: float) -> list[Outgoing]:
        limit = self.clock.moment - timedelta(seconds=unseen)
        events: list[Outgoing] = []
        for device_id, device in list(self.logins.items()):
            if device.seen < limit:
                events += await self.remove_device(device.user_id, device_id) or []
        return events

    def _user(self, user_id: str) -> User:
        user = self.accounts[user_id]
        return User(user_id, user.username, moment_text(user.created_at))

    def _add_device(self, device_id: str, user_id: str, name: str | None) -> None:
        self.logins[device_id] = StoredDevice(user_id, name, self.clock.moment, self.clock.moment)

    def _add_session(self, user_id: str, session: NewSession) -> None:
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

    def _end(self, reason: EndReason, chosen: Callable[[StoredSession], bool]) -> list[Event]:
        events: list[Event] = []
        for session_id, one in self.sessions.items():
            if one.end_reason is None and chosen(one):
                one.end_reason = reason
                events.append(
                    SessionEnded(session_id=session_id, user_id=one.user_id, device_id=one.device_id)
                )
        return events
