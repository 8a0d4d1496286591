"""Facts of the profile's one account, by name: who and where it is, its tokens, what was read."""

from messenger.client.store.database import Database


class Account:
    """Named values."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> str | None:
        """A value."""
        raw = self.raw(name)
        return None if raw is None else raw.decode()

    def raw(self, name: str) -> bytes | None:
        """A value as bytes."""
        row = self._database.one("select value from account where name = ?", name)
        return None if row is None else bytes(row[0])

    def set(self, name: str, value: str | bytes | None) -> None:
        """Set a value; None takes it away."""
        if value is None:
            self._database.run("delete from account where name = ?", name)
        else:
            raw = value.encode() if isinstance(value, str) else value
            self._database.run("insert or replace into account values (?, ?)", name, raw)
