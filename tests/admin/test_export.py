"""What is exported of a user is decided for each table and each column that might give access."""

import re

from messenger.admin.export import EXPORTED, NOT_EXPORTED
from tests.admin.test_backup_tables import tables

__all__ = ["tables"]

_TELLING = re.compile(
    r"^\s*((?:\w*_)?(?:hash|secret|auth|password|blob_key|upload_id))\s+(?:text|bytea)", re.M
)


def test_every_table_is_exported_or_left_for_a_reason(tables: dict[str, str]) -> None:
    assert sorted([*(one.name for one in EXPORTED), *NOT_EXPORTED]) == sorted(tables)
    assert all(NOT_EXPORTED.values())


def test_what_gives_access_is_left(tables: dict[str, str]) -> None:
    found = [
        f"{one.name}.{column}"
        for one in EXPORTED
        for column in _TELLING.findall(tables[one.name])
        if column not in one.left
    ]
    assert not found
    assert len([1 for one in EXPORTED for _ in _TELLING.findall(tables[one.name])]) >= 8
