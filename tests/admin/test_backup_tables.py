"""What goes into a backup is decided for each table, in an order that references allow."""

import re

import pytest
from alembic import op

from messenger.admin.backup.tables import KEPT, LEFT
from messenger.core.schemas import SCHEMAS, folder
from tests.core.test_migrations import sql_of

_CREATE = re.compile(r"create table (?:if not exists )?(\w+\.\w+) \((.*?)\n\s*\)", re.IGNORECASE | re.DOTALL)


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The definition of each table that the migrations make."""
    assert op
    found: dict[str, str] = {}
    for schema in SCHEMAS:
        for path in sorted(folder(schema).glob("[0-9]*.py")):
            found |= {match[1]: match[2] for match in _CREATE.finditer(sql_of(path, monkeypatch))}
    return found


def test_every_table_is_kept_or_left_for_a_reason(tables: dict[str, str]) -> None:
    kept = [one.name for one in KEPT]
    assert len(tables) > 25
    assert sorted([*kept, *LEFT]) == sorted(tables)
    assert all(LEFT.values())


def test_no_table_refers_to_a_later_one(tables: dict[str, str]) -> None:
    order = [one.name for one in KEPT]
    for position, name in enumerate(order):
        for target in re.findall(r"references (\w+\.\w+)", tables[name]):
            assert target in order[:position], f"{name} refers to {target}"
