"""What the suites of the stores of accounts begin with: accounts, sessions, and what they were judged by."""

from secrets import token_bytes, token_hex
from typing import Any
from unittest import TestCase

from messenger.auth.model import (
    LoginState,
    LoginVerdict,
    NewAccount,
    NewSession,
    RefreshVerdict,
    SessionState,
    Spending,
)
from messenger.core.identity import Identity
from messenger.core.ids import new_id
from messenger.core.outgoing import Outgoing
from messenger.wire.auth import Kdf
from messenger.wire.codec import Binary
from messenger.wire.events import DeviceChanged, SessionEnded
from tests.fakes import run

KDF = Kdf(algorithm="argon2id", memory_kib=65_536, passes=3, lanes=1, salt=Binary(b"s" * 16))


def new_session(device_id: str | None = None, lifetime: float = 1_000.0) -> NewSession:
    return NewSession(new_id(), device_id or new_id(), 1_000, token_bytes(32), lifetime, 900.0)


def new_account(invite_hash: bytes | None = None, kdf: Kdf | None = None) -> NewAccount:
    return NewAccount(new_id(), f"u{token_hex(8)}", "hash", "phone", invite_hash, kdf)


def identity(account: NewAccount, session: NewSession) -> Identity:
    return Identity(account.user_id, session.device_id, session.session_id, 1_000, 4_000_000_000)


def ended(account: NewAccount, session: NewSession) -> SessionEnded:
    return SessionEnded(session_id=session.session_id, user_id=account.user_id, device_id=session.device_id)


def removed(account: NewAccount, session: NewSession) -> DeviceChanged:
    return DeviceChanged(event="removed", user_id=account.user_id, device_id=session.device_id)


def events(outgoing: list[Outgoing] | None) -> list[Any]:
    assert outgoing is not None
    assert len({one.event_id for one in outgoing}) == len(outgoing)
    return [one.event for one in outgoing]


class AuthStoreCase(TestCase):
    """`setUp` of a subclass gives the four stores."""

    accounts: Any
    devices: Any
    sessions: Any
    factors: Any

    def add_invite(self, invite_hash: bytes) -> None:
        """An invite that is good once."""
        raise NotImplementedError

    def disable(self, user_id: str) -> None:
        """Disable the user, as an administrator does."""
        raise NotImplementedError

    def register(self, kdf: Kdf | None = None) -> tuple[NewAccount, NewSession]:
        account, session = new_account(kdf=kdf), new_session()
        user = run(self.accounts.add(account, session))
        assert (user.user_id, user.username) == (account.user_id, account.username)
        return account, session

    def login(self, account: NewAccount, device_id: str | None = None) -> NewSession:
        session = new_session(device_id)
        verdict = LoginVerdict.known_device if device_id else LoginVerdict.new_device
        run(self.sessions.open(account.user_id, session, None, lambda _state: verdict))
        return session

    def state(self, account: NewAccount) -> LoginState:
        """What a login of this user is judged by."""
        found: list[LoginState] = []

        def rule(state: LoginState) -> LoginVerdict:
            found.append(state)
            return LoginVerdict.void

        assert run(self.sessions.open(account.user_id, new_session(), None, rule)) == (
            LoginVerdict.void,
            [],
        )
        return found[0]

    def refresh(self, session: NewSession, verdict: RefreshVerdict, **more: Any) -> tuple[SessionState, Any]:
        """What a refresh is judged by, and what came of it."""
        found: list[SessionState] = []

        def rule(state: SessionState) -> RefreshVerdict:
            found.append(state)
            return verdict

        spending = Spending(
            session.session_id,
            more.get("token_hash", session.refresh_hash),
            more.get("successor_hash", b"next"),
            more.get("lifetime", 1_000.0),
            900.0,
        )
        done = run(self.sessions.refresh(spending, rule))
        return found[0] if found else None, done  # type: ignore[return-value]
