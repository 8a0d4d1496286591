"""The rules of the vault, on a store in memory."""

from collections.abc import Callable, Collection, Coroutine
from typing import Any

import pytest

from messenger.keys.vault.domain import Vault
from messenger.wire.errors import Code, Problem
from messenger.wire.vault import MAX_CONTENT, MAX_NAMES, VaultItem, VaultName
from tests.fakes import run

ANN, BEN = "ann", "ben"


class Memory:
    """A VaultStore; test_keys_stores.py holds it to PostgreSQL's rules."""

    def __init__(self, users: Collection[str] = (ANN, BEN)) -> None:
        self.kept: dict[tuple[str, str], VaultItem] = {}
        self.users = set(users)
        self.version = 0

    async def names(self, user_id: str) -> list[VaultName]:
        found = sorted((name, one.version) for (owner, name), one in self.kept.items() if owner == user_id)
        return [VaultName(name=name, version=version) for name, version in found]

    async def get(self, user_id: str, name: str) -> VaultItem | None:
        return self.kept.get((user_id, name))

    async def put(
        self, user_id: str, name: str, content: bytes, rule: Callable[[int | None, int], None]
    ) -> int | None:
        rule(self._standing(user_id, name), len(await self.names(user_id)))
        if user_id not in self.users:
            return None
        self.version += 1
        self.kept[user_id, name] = VaultItem(name=name, version=self.version, content=content)
        return self.version

    async def delete(self, user_id: str, name: str, rule: Callable[[int | None], None]) -> None:
        rule(self._standing(user_id, name))
        del self.kept[user_id, name]

    def _standing(self, user_id: str, name: str) -> int | None:
        found = self.kept.get((user_id, name))
        return None if found is None else found.version


def always(_version: int | None) -> bool:
    return True


def never(_version: int | None) -> bool:
    return False


def refused(code: Code, coroutine: Coroutine[Any, Any, object]) -> Problem:
    with pytest.raises(Problem) as caught:
        run(coroutine)
    assert caught.value.code == code
    return caught.value


def test_each_user_has_a_vault_of_its_own() -> None:
    vault = Vault(Memory())
    first = run(vault.put(ANN, "seed", b"1", always))
    assert run(vault.put(ANN, "seed", b"2", always)) > first
    run(vault.put(BEN, "seed", b"3", always))
    assert run(vault.get(ANN, "seed")).content == b"2"
    assert run(vault.get(BEN, "seed")).content == b"3"
    run(vault.delete(ANN, "seed", always))
    refused(Code.not_found, vault.get(ANN, "seed"))
    assert [one.name for one in run(vault.names(BEN))] == ["seed"]
    assert run(vault.names(ANN)) == []


@pytest.mark.parametrize(
    "name", ["", "A", "a" * 65, "a/b", "a~b", "a b", "a\n", "\u00e9", "\u0661", "%61", "a\0"]
)
def test_a_bad_name_is_none_at_all(name: str) -> None:
    vault = Vault(Memory())
    refused(Code.not_found, vault.put(ANN, name, b"", always))
    refused(Code.not_found, vault.get(ANN, name))
    refused(Code.not_found, vault.delete(ANN, name, always))


@pytest.mark.parametrize("name", ["a", "a" * 64, ".", "..", "-", "_", "0", "a.b_c-d"])
def test_a_good_name_is_taken(name: str) -> None:
    run(Vault(Memory()).put(ANN, name, b"", always))


def test_a_condition_that_fails_changes_nothing() -> None:
    vault = Vault(Memory())
    problem = refused(Code.precondition_failed, vault.put(ANN, "a", b"1", never))
    assert problem.members == {"version": None}
    refused(Code.not_found, vault.delete(ANN, "a", never))  # there is nothing whose version could differ
    version = run(vault.put(ANN, "a", b"1", always))
    problem = refused(Code.precondition_failed, vault.put(ANN, "a", b"2", lambda one: one != version))
    assert problem.members == {"version": version}
    refused(Code.precondition_failed, vault.delete(ANN, "a", never))
    assert run(vault.get(ANN, "a")).content == b"1"


def test_bounds() -> None:
    vault = Vault(Memory())
    refused(Code.too_large, vault.put(ANN, "a", bytes(MAX_CONTENT + 1), always))
    for number in range(MAX_NAMES):
        run(vault.put(ANN, f"n{number}", bytes(MAX_CONTENT), always))
    refused(Code.unprocessable, vault.put(ANN, "more", b"", always))
    refused(Code.precondition_failed, vault.put(ANN, "more", b"", never))
    run(vault.put(ANN, "n0", b"", always))  # a name that is there needs no room
    run(vault.put(BEN, "more", b"", always))
    run(vault.delete(ANN, "n1", always))
    run(vault.put(ANN, "more", b"", always))


def test_who_is_gone_keeps_nothing() -> None:
    memory = Memory(users=[BEN])
    refused(Code.unauthorized, Vault(memory).put(ANN, "a", b"", always))
    assert memory.kept == {}
