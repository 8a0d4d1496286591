"""`messenger-admin` on the data of a `twist messenger`, and the story that a backup keeps."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.system.people import Person
from tests.system.stack import Stack
from tests.system.test_second_factor import Owner


def admin(data: Path | None, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`messenger-admin` on a data directory of `twist messenger`."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MESSENGER_")}
    where = [] if data is None else ["--data", str(data)]
    return subprocess.run(
        [sys.executable, "-m", "messenger.admin.main", *where, *arguments],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def done(data: Path | None, *arguments: str, **environment: str) -> str:
    """What it said; it has to have gone well."""
    found = admin(data, *arguments, **environment)
    assert found.returncode == 0, found.stderr
    return found.stdout + found.stderr


def refused(data: Path | None, *arguments: str) -> str:
    """The one line of what can't be done."""
    found = admin(data, *arguments)
    assert found.returncode in (1, 2), (found.returncode, found.stderr)
    assert "Traceback" not in found.stderr
    return found.stderr.strip().splitlines()[-1]


@dataclass
class Story:
    """What was there when the backup was made, and what came after it."""

    source: Stack
    folder: Path
    ann: Person
    ben: Person
    other: Person
    direct: str
    group: str
    owner: Owner
    files: dict[str, bytes] = field(default_factory=dict)
    claimed: set[int] = field(default_factory=set)
    listed: dict[str, Any] = field(default_factory=dict)
    sealed: str = ""
