"""The stores on PostgreSQL keep the rules that their doubles in memory keep: one suite for both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from messenger.auth.store.accounts import AccountStore
from messenger.auth.store.administration import AdminStore
from messenger.auth.store.devices import DeviceStore
from messenger.auth.store.factors import FactorStore
from messenger.auth.store.sessions import SessionStore
from messenger.core.settings import DatabaseSettings
from tests.auth.auth_store_suite import AuthStoreSuite
from tests.fakes import run
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


class TestAuthStores(AuthStoreSuite):
    @pytest.fixture(autouse=True)
    def on(self, databases: dict[str, DirectDatabase]) -> None:
        database = databases["auth"]
        self.accounts, self.devices = AccountStore(database), DeviceStore(database)
        self.sessions, self.factors = SessionStore(database), FactorStore(database)
        self.admin = AdminStore(database, "test")

    def add_invite(self, invite_hash: bytes) -> None:
        run(self.admin.add_invite(invite_hash, 1, 100.0))

    def disable(self, user_id: str) -> None:
        run(self.admin.disable(user_id))


del AuthStoreSuite
