"""The running system does what its OpenAPI description says: requests made from that, answers held to it.

No 5xx, no answer that is not described, no body of another shape, and no route that lets in who shows no
token or a wrong one.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.people import Person
from tests.system.stack import Stack

pytestmark = pytest.mark.system

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "unsupported_method",
)
# Those two would end the session with which all others are asked.
SPARED = ("/api/v1/auth/logout", "/api/v1/auth/devices/{device_id}")


def conforms(stack: Stack, folder: Path, *arguments: str) -> None:
    """Run schemathesis against the gateway; AssertionError with its report where it finds something."""
    person = Person(stack.url, "ann")
    person.publish()
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{stack.url}/api/v1/openapi.json"]
    command += ["--url", stack.url, "--header", f"Authorization: Bearer {person.token}"]
    command += ["--checks", ",".join(CHECKS), "--suppress-health-check", "all"]
    # One worker: two threads that parse trip Python 3.11 ("AST constructor recursion depth mismatch").
    command += ["--generation-database", "none", "--no-shrink", "--no-color", "--workers", "1", *arguments]
    for path in SPARED:
        command += ["--exclude-path", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=folder, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert person.http.get("/auth/me").status_code == 200, "the session did not last"


def test_coverage(one: Stack, tmp_path: Path) -> None:
    # Coverage alone makes no id that could be one.
    conforms(one, tmp_path, "--phases", "coverage,fuzzing", "--max-examples", "2", "--seed", "1")


@pytest.mark.long
def test_at_length(stack: Stack, tmp_path: Path) -> None:
    conforms(stack, tmp_path, "--phases", "coverage,fuzzing,stateful", "--max-examples", "50")
