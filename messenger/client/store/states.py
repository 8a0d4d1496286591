"""The encryption core's state objects: decoded once, kept while they are used, written with the transaction.

That there is none under a key is remembered, too, for most messages ask for some that are not there.

An object that was fetched to be changed is marked by `save`; `flush` writes all that are marked, and `forget`
drops everything after a transaction that failed, so that memory never runs ahead of the disk.
"""

from collections import OrderedDict
from typing import Protocol, Self, TypeVar

from messenger.client.store.database import Database

MOST_KEPT = 1_000


class Storable(Protocol):
    """A state object."""

    def to_bytes(self) -> bytes:
        """All of it."""

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """It again."""


S = TypeVar("S", bound=Storable)


class States:
    """State objects by kind (their class) and key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[tuple[str, str], Storable | None] = OrderedDict()  # None: there is none
        self._marked: dict[tuple[str, str], Storable] = {}

    def get(self, kind: type[S], key: str) -> S | None:
        """The object, or None."""
        name = (kind.__name__, key)
        if name in self._kept:
            kept = self._kept[name]
            self._kept.move_to_end(name)
        else:
            row = self._database.one("select value from states where kind = ? and key = ?", *name)
            kept = None if row is None else kind.from_bytes(bytes(row[0]))
            self._keep(name, kept)
        assert kept is None or isinstance(kept, kind)
        return kept

    def save(self, key: str, value: Storable) -> None:
        """Have an object written with this transaction."""
        name = (type(value).__name__, key)
        self._marked[name] = value
        self._keep(name, value)

    def drop(self, kind: type[Storable], key: str) -> None:
        """Delete an object."""
        name = (kind.__name__, key)
        self._marked.pop(name, None)
        self._kept.pop(name, None)
        self._database.run("delete from states where kind = ? and key = ?", *name)

    def keys(self, kind: type[Storable]) -> list[str]:
        """The keys of all objects of a kind, those that this transaction will write included."""
        rows = self._database.all("select key from states where kind = ?", kind.__name__)
        marked = [key for name, key in self._marked if name == kind.__name__]
        return list(dict.fromkeys([*(row[0] for row in rows), *marked]))

    def _keep(self, name: tuple[str, str], value: Storable | None) -> None:
        self._kept[name] = value
        self._kept.move_to_end(name)
        if len(self._kept) > MOST_KEPT:
            for old in list(self._kept)[: len(self._kept) - MOST_KEPT]:
                if old not in self._marked:
                    del self._kept[old]

    def flush(self) -> None:
        """Write what is marked, before the commit."""
        for (kind, key), value in self._marked.items():
            self._database.run("insert or replace into states values (?, ?, ?)", kind, key, value.to_bytes())
        self._marked.clear()

    def forget(self) -> None:
        """Forget all that is in memory."""
        self._kept.clear()
        self._marked.clear()
