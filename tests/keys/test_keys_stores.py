"""The stores of keys in memory keep the rules of those on PostgreSQL (tests/system/test_stores.py)."""

from messenger.core.ids import new_id
from tests.keys.key_devices import Device
from tests.keys.keys_fakes import MemoryStore
from tests.keys.keys_store_suite import KeyStoreSuite, VaultStoreSuite
from tests.keys.test_vault import Memory


class TestMemoryKeyStores(KeyStoreSuite):
    def setUp(self) -> None:
        self.store = self.keys = self.lists = self.claims = MemoryStore()

    def known(self, device: Device) -> Device:
        self.store.live[device.who.device_id] = device.who.user_id
        return device


class TestMemoryVaultStore(VaultStoreSuite):
    def setUp(self) -> None:
        self.ann, self.ben = new_id(), new_id()
        self.store = Memory({self.ann, self.ben})


del KeyStoreSuite, VaultStoreSuite
