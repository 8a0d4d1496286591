"""The stores of files in memory keep the rules of those on PostgreSQL (tests/system/test_stores.py)."""

from messenger.core.ids import new_id
from tests.fakes import Clock
from tests.files.file_fakes import MemoryStore
from tests.files.file_store_suite import BOUNDS, MOST_CONVERSATIONS, FileStoreSuite


class TestMemoryFileStores(FileStoreSuite):
    def setUp(self) -> None:
        self.store = self.files = self.removal = MemoryStore(Clock(), BOUNDS, MOST_CONVERSATIONS)

    def user(self) -> str:
        return new_id()

    def conversation(self, *user_ids: str) -> str:
        conversation_id = new_id()
        self.store.members[conversation_id] = set(user_ids)
        return conversation_id

    def block(self, user_id: str, other: str) -> None:
        self.store.blocked |= {key for key, users in self.store.members.items() if users == {user_id, other}}

    def delete_user(self, user_id: str) -> None:
        self.store.deleted_users.add(user_id)


del FileStoreSuite
