"""Migrations run while clients are served: none may hold a lock for long, or break the version before it.

squawk (https://squawkhq.com) reads the SQL of each. What it says of a table that the same migration creates
does not count: nobody uses that one yet. What it can't know is held to here: a row-by-row change of a table
that is in use, and the numbers, which have to follow each other.
"""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from alembic import op

from messenger.core.schemas import SCHEMAS, folder

MIGRATIONS = [path for schema in SCHEMAS for path in sorted(folder(schema).glob("[0-9]*.py"))]
SQUAWK = Path(sys.executable).with_name("squawk")
# Matters of taste, and what migrate.py sees to itself (time-outs, a version table that makes each run once).
TASTE = (
    "prefer-text-field,prefer-robust-stmts,prefer-bigint-over-int,prefer-identity,"
    "require-timeout-settings,prefer-timestamptz"
)


def module_of(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"migration_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sql_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """All that a migration executes."""
    said: list[str] = []
    monkeypatch.setattr(op, "execute", said.append)
    module_of(path).upgrade()
    return "\n".join(f"{one.strip().rstrip(';')};" for one in said)


def complaints(sql: str) -> list[dict[str, Any]]:
    """What squawk has against a migration."""
    done = subprocess.run(
        [SQUAWK, "--reporter=json", "--pg-version=16", "--assume-in-transaction", f"--exclude={TASTE}"],
        input=sql,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    "sql",
    [
        "create index somewhere on auth.users (created_at);",
        "alter table auth.users alter column username type varchar(64);",
        "alter table auth.users add column age integer not null;",
        "alter table auth.users rename column username to name;",
        "alter table auth.users drop column disabled_at;",
        "alter table auth.users add constraint one check (username <> '');",
        "alter table file.files alter column received set not null;",
    ],
)
def test_what_would_hurt_is_refused(sql: str) -> None:
    assert complaints(sql)


def test_a_bulk_change_is_refused() -> None:
    assert bulk_changes("update auth.users set disabled_at = null;") == ["auth.users"]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_migrations_follow_each_other(schema: str) -> None:
    modules = [module_of(path) for path in sorted(folder(schema).glob("[0-9]*.py"))]
    numbers = [f"{number:04}" for number in range(1, len(modules) + 1)]
    assert [module.revision for module in modules] == numbers
    assert [module.down_revision for module in modules] == [None, *numbers[:-1]]
    assert not any(hasattr(module, "downgrade") for module in modules)


# In one statement, all rows of a table that others write: each stays locked until the migration ends.
BULK = re.compile(r"^\s*(update|delete\s+from)\s+([a-z_.]+)", re.IGNORECASE | re.MULTILINE)


def bulk_changes(sql: str) -> list[str]:
    """Tables of which a statement changes many rows at once; bodies of functions are another matter."""
    outside = re.sub(r"\$(\w*)\$.*?\$\1\$", "", sql, flags=re.DOTALL)
    return [match[2] for match in BULK.finditer(outside)]


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_a_migration_is_safe_while_clients_are_served(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = sql_of(path, monkeypatch)
    found = [f"{one['rule_name']}: {one['message']} (line {one['line'] + 1})" for one in complaints(sql)]
    assert not found, "\n".join(found)
    assert not bulk_changes(sql)
