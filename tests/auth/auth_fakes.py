"""Accounts on a store in memory: the same rules, no engine, no real time."""

from auth_memory import Clock, MemoryStore

from messenger.auth.domain.accounts import Accounts
from messenger.auth.domain.derivations import Derivations
from messenger.auth.domain.factors import Factors
from messenger.auth.domain.held import StatedPasswords
from messenger.auth.domain.sessions import Sessions
from messenger.auth.guesses import PasswordGuesses
from messenger.auth.ports import (
    Around,
    Policy,
)
from messenger.auth.refresh import RefreshTokens
from messenger.auth.signing import Seal
from messenger.core.identity import Identity
from messenger.core.ids import new_id
from messenger.core.limits import Limits
from messenger.core.settings import Limits as LimitSettings
from messenger.wire.auth import Session, VerificationKey
from tests.fakes import Told


class PlainPasswords:
    """Fast hashes that count how often they were compared; `version` stands for the cost."""

    def __init__(self) -> None:
        self.version = 1
        self.compared = 0

    async def hash(self, password: bytes) -> str:
        return f"{self.version}:{password.hex()}"

    async def matches(self, password: bytes, stored: str | None) -> bool:
        self.compared += 1
        return stored is not None and stored.partition(":")[2] == password.hex()

    def outdated(self, stored: str) -> bool:
        return not stored.startswith(f"{self.version}:")


class PlainTokens:
    """Access tokens that can be read back."""

    def __init__(self) -> None:
        self.issued: dict[str, Identity] = {}

    def access_token(self, identity: Identity, issued_at: int) -> str:
        text = f"token-{len(self.issued)}"
        self.issued[text] = identity
        return text

    async def verification_keys(self) -> list[VerificationKey]:
        return [VerificationKey(kid="k", x="x")]


class House:
    """Accounts and all that they stand on."""

    def __init__(
        self, registration: str = "open", devices: int = 3, limits: dict[str, str] | None = None
    ) -> None:
        self.clock = Clock()
        self.store = MemoryStore(self.clock)
        self.passwords = PlainPasswords()
        self.tokens = PlainTokens()
        self.told = Told()
        self.notes: list[str] = []
        policy = Policy(
            registration=registration,
            access_token=900,
            refresh_token=5_184_000.0,
            devices=devices,
            device_unseen=5_184_000.0,
        )
        around = Around(self.told, self.note, self.clock, new_id)
        store, tokens, seal = self.store, self.tokens, Seal("s" * 32)
        guesses = PasswordGuesses(Limits(LimitSettings(**(limits or {})), self.clock), self.note)
        stated = StatedPasswords(store, self.passwords, guesses, self.note)
        refresh_tokens = RefreshTokens(lambda: b"k" * 32)
        self.sessions = Sessions(
            store, store, seal, self.passwords, tokens, refresh_tokens, guesses, policy, around
        )
        self.accounts = Accounts(
            store, self.passwords, stated, self.sessions, tokens, guesses, policy, around
        )
        self.derivations = Derivations(store, lambda: b"k" * 32)
        self.factors = Factors(store, seal, stated, "a house", around)

    def note(self, event: str, **ids: str) -> None:
        self.notes.append(event)

    def who(self, session: Session) -> Identity:
        """The bearer of the session's access token."""
        return self.tokens.issued[session.access_token]
