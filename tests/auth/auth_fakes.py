"""Accounts on a store in memory: the same rules, no engine, no real time."""

from messenger.auth.domain.accounts import Accounts
from messenger.auth.domain.derivations import Derivations
from messenger.auth.domain.factors import Factors
from messenger.auth.domain.reauthentication import Reauthentication
from messenger.auth.domain.sessions import Sessions
from messenger.auth.guesses import PasswordGuesses
from messenger.auth.model import Policy
from messenger.auth.refresh import RefreshTokens
from messenger.auth.signing import Seal
from messenger.core.identity import Identity
from messenger.core.limits.limits import Limits
from messenger.core.settings import Limits as LimitSettings
from messenger.wire.auth import Session
from tests.auth.auth_memory import MemoryAccounts, MemoryDevices, MemoryFactors, MemorySessions, Tables
from tests.fakes import Clock, Published


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


class SecurityNotes(list[str]):
    """A security log: the events that were written to it."""

    def write(self, event: str, **ids: str) -> None:
        self.append(event)


class House:
    """Accounts and all that they stand on."""

    def __init__(
        self,
        registration: str = "open",
        devices: int = 3,
        limits: dict[str, str] | None = None,
        kind: type[Limits] = Limits,
    ) -> None:
        self.clock = Clock()
        self.tables = Tables(self.clock)
        self.passwords = PlainPasswords()
        self.tokens = PlainTokens()
        self.published = Published()
        self.security = SecurityNotes()
        policy = Policy(
            registration=registration,
            access_token=900,
            refresh_token=5_184_000.0,
            devices=devices,
            device_unseen=5_184_000.0,
        )
        accounts, devices_ = MemoryAccounts(self.tables), MemoryDevices(self.tables)
        factors, seal = MemoryFactors(self.tables), Seal("s" * 32)
        settings = LimitSettings(**(limits or {}))
        self.limits = kind(settings, lambda: self.clock.seconds)
        guesses = PasswordGuesses(self.limits, self.security)
        reauthentication = Reauthentication(accounts, self.passwords, guesses, self.security)
        self.sessions = Sessions(
            accounts,
            MemorySessions(self.tables),
            factors,
            seal,
            self.passwords,
            self.tokens,
            RefreshTokens(lambda: b"k" * 32),
            guesses,
            policy,
            self.clock,
            self.published,
            self.security,
        )
        self.accounts = Accounts(
            accounts,
            devices_,
            self.passwords,
            reauthentication,
            self.sessions,
            guesses,
            policy,
            self.published,
            self.security,
        )
        self.derivations = Derivations(accounts, lambda: b"k" * 32)
        self.factors = Factors(factors, seal, reauthentication, "a house", self.clock, self.security)

    def who(self, session: Session) -> Identity:
        """The bearer of the session's access token."""
        return self.tokens.issued[session.access_token]
