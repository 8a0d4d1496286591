"""The stores on PostgreSQL keep the rules that their doubles in memory keep: one suite for both."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from messenger.auth.model import LoginVerdict
from messenger.auth.store.accounts import AccountStore
from messenger.auth.store.administration import AdminStore
from messenger.auth.store.devices import DeviceStore
from messenger.auth.store.factors import FactorStore
from messenger.auth.store.sessions import SessionStore
from messenger.auth.store.signing_keys import SigningKeyStore
from messenger.core.ids import new_id
from messenger.core.settings import DatabaseSettings
from messenger.files.store.files import FileStore
from messenger.files.store.removal import RemovalStore
from messenger.keys.store.claims import ClaimStore
from messenger.keys.store.device_lists import DeviceListStore
from messenger.keys.store.keys import KeyStore
from messenger.keys.vault.store import VaultStore
from messenger.messages.model import Creation, pair_of
from messenger.messages.store.blocks import BlockStore
from messenger.messages.store.conversations import ConversationStore
from tests.auth.auth_factor_suite import FactorStoreSuite
from tests.auth.auth_store_case import new_account, new_session
from tests.auth.auth_store_suite import AuthStoreSuite, SigningKeyStoreSuite
from tests.fakes import run
from tests.files.file_store_suite import BOUNDS, MOST_CONVERSATIONS, FileStoreSuite
from tests.keys.key_devices import Device
from tests.keys.keys_store_suite import KeyStoreSuite, VaultStoreSuite
from tests.system.direct_database import DirectDatabase
from tests.system.stack import Stack

SCHEMAS = ("auth", "key", "message", "file")


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, DirectDatabase]]:
    """Each service's database, by its schema: all of them migrated and empty, and no service runs."""
    stack = Stack(Path(tmp_path_factory.mktemp("stores")), "apart")
    made: dict[str, DirectDatabase] = {}
    try:
        stack.start_engines()
        stack.run_admin("migrate")
        found = stack.admin_environment
        settings = DatabaseSettings(
            host=found["MESSENGER_DATABASE__HOST"],
            port=int(found["MESSENGER_DATABASE__PORT"]),
            name=found["MESSENGER_DATABASE__NAME"],
        )
        for schema in SCHEMAS:
            password = found[f"MESSENGER_{schema.upper()}__DATABASE_PASSWORD"]
            made[schema] = DirectDatabase(settings, schema, password)
        yield made
    finally:
        for database in made.values():
            database.close()
        stack.stop()


class TestAuthStores(AuthStoreSuite, FactorStoreSuite):
    @pytest.fixture(autouse=True)
    def on(self, databases: dict[str, DirectDatabase]) -> None:
        database = databases["auth"]
        self.accounts, self.devices = AccountStore(database), DeviceStore(database)
        self.sessions, self.factors = SessionStore(database), FactorStore(database)
        self.admin = AdminStore(database, "test")

    def add_invite(self, invite_hash: bytes) -> None:
        run(self.admin.invites.add(invite_hash, 1, 100.0))

    def disable(self, user_id: str) -> None:
        run(self.admin.disable(user_id))


class TestSigningKeyStore(SigningKeyStoreSuite):
    @pytest.fixture(autouse=True)
    def on(self, databases: dict[str, DirectDatabase]) -> None:
        self.store = SigningKeyStore(databases["auth"])


def known_user(databases: dict[str, DirectDatabase], user_id: str, device_id: str) -> None:
    """Have auth know this user, and this device of the user's."""
    accounts, sessions = AccountStore(databases["auth"]), SessionStore(databases["auth"])
    session = new_session(device_id)
    account = replace(new_account(), user_id=user_id)
    if run(accounts.users([user_id])):
        run(sessions.open(user_id, session, None, lambda _state: LoginVerdict.new_device))
    else:
        run(accounts.add(account, session))


class TestKeyStores(KeyStoreSuite):
    @pytest.fixture(autouse=True)
    def on(self, databases: dict[str, DirectDatabase]) -> None:
        self.databases = databases
        database = databases["key"]
        self.keys, self.lists = KeyStore(database), DeviceListStore(database)
        self.claims = ClaimStore(database)

    def known(self, device: Device) -> Device:
        known_user(self.databases, device.who.user_id, device.who.device_id)
        return device


class TestVaultStore(VaultStoreSuite):
    @pytest.fixture(autouse=True)
    def on(self, databases: dict[str, DirectDatabase]) -> None:
        self.ann, self.ben = new_id(), new_id()
        for user_id in (self.ann, self.ben):
            known_user(databases, user_id, new_id())
        self.store = VaultStore(databases["key"])


class TestFileStores(FileStoreSuite):
    @pytest.fixture(autouse=True)
    def on(self, databases: dict[str, DirectDatabase]) -> None:
        self.databases = databases
        self.files = FileStore(databases["file"], BOUNDS, MOST_CONVERSATIONS)
        self.removal = RemovalStore(databases["file"], BOUNDS)

    def user(self) -> str:
        user_id = new_id()
        known_user(self.databases, user_id, new_id())
        return user_id

    def conversation(self, *user_ids: str) -> str:
        direct = len(user_ids) == 2
        roles = dict.fromkeys(user_ids, "member") | ({} if direct else {user_ids[0]: "owner"})
        made = Creation(
            "direct" if direct else "group",
            pair_of(*user_ids) if direct else None,
            user_ids[0],
            roles,
            None,
            None,
        )
        conversation_id, _ = run(ConversationStore(self.databases["message"]).create(made))
        return conversation_id

    def block(self, user_id: str, other: str) -> None:
        run(BlockStore(self.databases["message"]).block(user_id, other))

    def delete_user(self, user_id: str) -> None:
        run(AccountStore(self.databases["auth"]).delete(user_id, "hash"))


del AuthStoreSuite, FactorStoreSuite, FileStoreSuite, KeyStoreSuite, SigningKeyStoreSuite, VaultStoreSuite
