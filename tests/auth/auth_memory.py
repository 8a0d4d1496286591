"""The stores of accounts in memory: the rules of the SQL, no engine. test_auth_stores.py holds both to the
same."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from messenger.auth.model import (
    Answer,
    Answered,
    Challenge,
    ChallengeState,
    Credentials,
    EndReason,
    Enrolment,
    LoginState,
    LoginVerdict,
    NewAccount,
    NewChallenge,
    NewKey,
    NewSession,
    NotAdded,
    Refreshed,
    RefreshVerdict,
    SessionState,
    Spending,
    TotpFactor,
)
from messenger.core.identity import Identity
from messenger.core.outgoing import Outgoing
from messenger.wire.auth import Device, Kdf, KdfAnswer, User, VerificationKey
from messenger.wire.codec import base64url_text
from messenger.wire.events import DeviceChanged, Event, UserDeleted, UserRemoval
from messenger.wire.times import moment_text
from tests.auth.auth_tables import (
    StoredChallenge,
    StoredTotp,
    StoredUser,
    Tables,
)
from tests.fakes import outgoing


class MemoryAccounts:
    """An AccountStore."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def invite_good(self, invite_hash: bytes) -> bool:
        return self._tables.invites.get(invite_hash, 0) > 0

    async def add(self, account: NewAccount, session: NewSession) -> User | NotAdded:
        tables = self._tables
        if account.invite_hash is not None and not await self.invite_good(account.invite_hash):
            return NotAdded.invite_refused
        if await self.name_taken(account.username):
            return NotAdded.username_taken
        if account.invite_hash is not None:
            tables.invites[account.invite_hash] -= 1
        tables.accounts[account.user_id] = StoredUser(
            account.username, account.password_hash, tables.clock.moment, kdf=account.kdf
        )
        tables.add_device(session.device_id, account.user_id, account.device_name)
        tables.add_session(account.user_id, session)
        return tables.user(account.user_id)

    async def credentials(self, username: str) -> Credentials | None:
        for user_id, user in self._tables.accounts.items():
            if user.username == username:
                return await self.credentials_of(user_id)
        return None

    async def credentials_of(self, user_id: str) -> Credentials | None:
        user = self._tables.accounts.get(user_id)
        if user is None or user.password_hash is None or user.disabled:
            return None
        return Credentials(self._tables.user(user_id), user.password_hash)

    async def set_password(
        self, user_id: str, old_hash: str, new_hash: str, kdf: Kdf | None, keep_session: str
    ) -> list[Outgoing] | None:
        if not await self.rehash(user_id, old_hash, new_hash):
            return None
        self._tables.accounts[user_id].kdf = kdf
        kept = self._tables.sessions[keep_session]
        return outgoing(
            self._tables.end(EndReason.password, lambda one: one.user_id == user_id and one is not kept)
        )

    async def rehash(self, user_id: str, old_hash: str, new_hash: str) -> bool:
        if self._tables.accounts[user_id].password_hash != old_hash:
            return False
        self._tables.accounts[user_id].password_hash = new_hash
        return True

    async def delete(self, user_id: str, password_hash: str) -> list[Outgoing] | None:
        tables = self._tables
        if tables.accounts[user_id].password_hash != password_hash:
            return None
        tables.accounts[user_id].password_hash = tables.accounts[user_id].kdf = None
        events = tables.end(EndReason.deleted, lambda one: one.user_id == user_id)
        for device_id in [key for key, device in tables.devices.items() if device.user_id == user_id]:
            del tables.devices[device_id]
            events.append(DeviceChanged(event="removed", user_id=user_id, device_id=device_id))
        tables.remove_factors(user_id)
        return outgoing([*events, UserDeleted(user_id=user_id), UserRemoval(user_id=user_id)])

    async def users(self, user_ids: Any) -> list[User]:
        accounts = self._tables.accounts
        return [
            self._tables.user(user_id)
            for user_id in user_ids
            if user_id in accounts and accounts[user_id].password_hash is not None
        ]

    async def user_named(self, username: str) -> User | None:
        for user_id, user in self._tables.accounts.items():
            if user.username == username and user.password_hash is not None:
                return self._tables.user(user_id)
        return None

    async def name_taken(self, username: str) -> bool:
        return any(user.username == username for user in self._tables.accounts.values())

    async def derivation(self, username: str) -> KdfAnswer | None:
        for user in self._tables.accounts.values():
            if user.username == username and user.password_hash is not None:
                return KdfAnswer(kdf=user.kdf)
        return None


class MemoryDevices:
    """A DeviceStore."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def of(self, user_id: str, current: str) -> list[Device]:
        return [
            Device(
                device_id=device_id,
                device_name=device.name,
                created_at=moment_text(device.created_at),
                last_seen_at=moment_text(device.seen),
                current=device_id == current,
            )
            for device_id, device in self._tables.devices.items()
            if device.user_id == user_id
        ]

    async def remove(self, user_id: str, device_id: str) -> list[Outgoing] | None:
        device = self._tables.devices.get(device_id)
        if device is None or device.user_id != user_id:
            return None
        del self._tables.devices[device_id]
        events = self._tables.end(EndReason.removed, lambda one: one.device_id == device_id)
        return outgoing([*events, DeviceChanged(event="removed", user_id=user_id, device_id=device_id)])

    async def remove_unseen(self, unseen: float) -> list[Outgoing]:
        limit = self._tables.clock.moment - timedelta(seconds=unseen)
        events: list[Outgoing] = []
        for device_id, device in list(self._tables.devices.items()):
            if device.seen < limit:
                events += await self.remove(device.user_id, device_id) or []
        return events

    async def forget_expired(self) -> None:
        """What has expired is refused all the same."""


class MemorySessions:
    """A SessionStore."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def open(
        self,
        user_id: str,
        session: NewSession,
        device_name: str | None,
        rule: Callable[[LoginState], LoginVerdict],
    ) -> tuple[LoginVerdict, list[Outgoing]]:
        verdict = rule(self._tables.login_state(user_id))
        if not verdict.opens:
            return verdict, []
        return verdict, self._tables.open(user_id, session, device_name, verdict)

    async def refresh(
        self, spending: Spending, rule: Callable[[SessionState], RefreshVerdict]
    ) -> Refreshed | None:
        tables = self._tables
        one = tables.sessions.get(spending.session_id)
        if one is None or tables.accounts[one.user_id].password_hash is None:
            return None
        now = tables.clock.moment
        verdict = rule(
            SessionState(
                one.refresh_hash, one.previous_hash, one.spent_at, one.expires_at, one.end_reason, now
            )
        )
        ended: list[Event] = []
        if verdict is RefreshVerdict.spend:
            one.previous_hash, one.refresh_hash = spending.token_hash, spending.successor_hash
            one.spent_at, one.expires_at = now, now + timedelta(seconds=spending.lifetime)
            tables.devices[one.device_id].seen = now
        elif verdict is RefreshVerdict.reused:
            ended = tables.end(EndReason.reused, lambda other: other is one)
        user = tables.user(one.user_id)
        return Refreshed(verdict, user, one.device_id, one.auth_time, outgoing(ended))

    async def end(self, session_id: str) -> list[Outgoing]:
        one = self._tables.sessions[session_id]
        return outgoing(self._tables.end(EndReason.logout, lambda other: other is one))

    async def add_ticket(self, ticket_hash: bytes, identity: Identity, lifetime: float) -> bool:
        if self._tables.sessions[identity.session_id].end_reason is not None:
            return False
        self._tables.tickets[ticket_hash] = identity
        return True


class MemoryFactors:
    """A FactorStore."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def enrol_totp(self, user_id: str, sealed: bytes) -> bool:
        factor = self._tables.totp.get(user_id)
        if self._tables.login_state(user_id).password_hash is None or (factor and factor.confirmed):
            return False
        self._tables.totp[user_id] = StoredTotp(sealed)
        return True

    async def confirm_totp(
        self, user_id: str, rule: Callable[[TotpFactor], int | None], recovery_hashes: list[bytes]
    ) -> Enrolment:
        factor = self._tables.totp.get(user_id)
        if factor is None or factor.confirmed:
            return Enrolment.nothing_waits
        step = rule(TotpFactor(factor.secret, factor.last_step))
        if step is None:
            return Enrolment.wrong_code
        factor.confirmed, factor.last_step = True, step
        self._tables.recovery[user_id] = set(recovery_hashes)
        return Enrolment.confirmed

    async def remove_totp(self, user_id: str) -> bool:
        return self._tables.remove_factors(user_id)

    async def add_challenge(self, challenge: NewChallenge) -> None:
        expires_at = self._tables.clock.moment + timedelta(seconds=challenge.lifetime)
        stored = StoredChallenge(challenge, challenge.tries, expires_at)
        self._tables.challenges[challenge.challenge_hash] = stored

    async def challenge(self, challenge_hash: bytes) -> Challenge | None:
        one = self._tables.challenges.get(challenge_hash)
        if one is None or one.tries_left <= 0 or one.expires_at <= self._tables.clock.moment:
            return None
        user = self._tables.user(one.given.user_id)
        return Challenge(user, one.given.credential, one.given.device_id, one.tries_left)

    async def answer(
        self, challenge_hash: bytes, session: NewSession, rule: Callable[[ChallengeState], Answer]
    ) -> Answered | None:
        tables = self._tables
        challenge = await self.challenge(challenge_hash)
        if challenge is None:
            return None
        user_id, stored = challenge.user.user_id, tables.challenges[challenge_hash]
        factor = tables.totp.get(user_id)
        totp = TotpFactor(factor.secret, factor.last_step) if factor and factor.confirmed else None
        codes = tables.recovery.get(user_id, set())
        answer = rule(ChallengeState(challenge, tables.login_state(user_id), totp, frozenset(codes)))
        if answer.verdict is LoginVerdict.wrong_code:
            stored.tries_left -= 1
        if not answer.verdict.opens:
            return Answered(answer, stored.tries_left, [])
        if answer.step is not None and factor is not None:
            factor.last_step = answer.step
        elif answer.recovery_hash is not None:
            codes.remove(answer.recovery_hash)
        del tables.challenges[challenge_hash]
        events = tables.open(user_id, session, stored.given.device_name, answer.verdict)
        return Answered(answer, 0, events)


class MemorySigningKeys:
    """A SigningKeyStore whose latest key signs."""

    def __init__(self) -> None:
        self.key: NewKey | None = None
        self.refresh = b""
        self.salts = b""

    async def add_first(self, key: NewKey, refresh_secret: bytes, salt_key: bytes) -> None:
        if self.key is None:
            self.key, self.refresh, self.salts = key, refresh_secret, salt_key

    async def signing_key(self) -> tuple[str, bytes]:
        assert self.key is not None
        return self.key.kid, self.key.private_key

    async def refresh_secret(self) -> bytes:
        return self.refresh

    async def salt_key(self) -> bytes:
        return self.salts

    async def verification_keys(self) -> list[VerificationKey]:
        assert self.key is not None
        return [VerificationKey(kid=self.key.kid, x=base64url_text(self.key.public_key))]
