"""The stores of accounts in memory keep the rules of those on PostgreSQL (tests/system/test_stores.py)."""

from tests.auth.auth_factor_suite import FactorStoreSuite
from tests.auth.auth_memory import (
    MemoryAccounts,
    MemoryDevices,
    MemoryFactors,
    MemorySessions,
    MemorySigningKeys,
    Tables,
)
from tests.auth.auth_store_suite import AuthStoreSuite, SigningKeyStoreSuite
from tests.fakes import Clock


class TestMemoryStores(AuthStoreSuite, FactorStoreSuite):
    def setUp(self) -> None:
        self.tables = Tables(Clock())
        self.accounts, self.devices = MemoryAccounts(self.tables), MemoryDevices(self.tables)
        self.sessions, self.factors = MemorySessions(self.tables), MemoryFactors(self.tables)

    def add_invite(self, invite_hash: bytes) -> None:
        self.tables.invites[invite_hash] = 1

    def disable(self, user_id: str) -> None:
        self.tables.accounts[user_id].disabled = True


class TestMemorySigningKeys(SigningKeyStoreSuite):
    def setUp(self) -> None:
        self.store = MemorySigningKeys()


del AuthStoreSuite, FactorStoreSuite, SigningKeyStoreSuite
