"""The encrypted SQLite file: SQLCipher, the whole of it under the store's key, names included.

SQLCipher rather than encryption of single values: nothing is forgotten that way, indexes work, and SQLite's
own journal is encrypted too. A commit is on the disk when it returns (WAL, synchronous FULL), and kill -9
leaves what was committed.
"""

from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2

from messenger.client.errors import StoreCorrupt, StoreTooNew
from messenger.client.store.schema import STEPS

STORE_FILE = "store.db"


class Database:
    """An open store. For one thread at a time."""

    def __init__(self, path: Path, key: bytes, steps: tuple[str, ...] = STEPS) -> None:
        """Open and bring up to date. StoreCorrupt (damaged, or another key), StoreTooNew."""
        path.touch(mode=0o600)
        self._connection: Any = dbapi2.connect(str(path), isolation_level=None, check_same_thread=False)
        try:
            self._prepare(key)
            self._migrate(steps)
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self, key: bytes) -> None:
        run = self._connection.execute
        run("pragma cipher_log_level = none")
        run(f"pragma key = \"x'{key.hex()}'\"")  # a raw key: no derivation by SQLCipher itself
        try:
            run("select count(*) from sqlite_master").fetchone()
            run("pragma journal_mode = wal")
        except dbapi2.DatabaseError as error:
            raise StoreCorrupt(f"The store can't be read: {error}.") from None
        run("pragma synchronous = full")
        run("pragma secure_delete = on")
        run("pragma temp_store = memory")

    def _migrate(self, steps: tuple[str, ...]) -> None:
        (version,) = self.one("pragma user_version") or (0,)
        if version > len(steps):
            raise StoreTooNew()
        for number, step in enumerate(steps[version:], version + 1):
            self.begin()
            try:
                for statement in step.split(";"):
                    if statement.strip():
                        self._connection.execute(statement)
                self._connection.execute(f"pragma user_version = {number}")
            except BaseException:
                self.rollback()
                raise
            self.commit()

    # statements

    def run(self, sql: str, *values: Any) -> int:
        """Run a statement; how many rows it changed."""
        changed: int = self._connection.execute(sql, values).rowcount
        return changed

    def insert(self, sql: str, *values: Any) -> int:
        """Run an insert; the new row's id."""
        row: int = self._connection.execute(sql, values).lastrowid
        return row

    def one(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        """The first row."""
        row: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows."""
        rows: list[tuple[Any, ...]] = self._connection.execute(sql, values).fetchall()
        return rows

    def changes(self) -> int:
        """How many rows this connection has changed, ever."""
        count: int = self._connection.total_changes
        return count

    # transactions

    def begin(self) -> None:
        """Begin a transaction that may write."""
        self._connection.execute("begin immediate")

    def commit(self) -> None:
        """Make it last."""
        self._connection.execute("commit")

    def rollback(self) -> None:
        """Undo it."""
        if self._connection.in_transaction:
            self._connection.execute("rollback")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
