"""The system under test: services apart, through the gateway, with unlimited rates."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.cpu import cpu_seconds
from tests.system.people import Person
from tests.system.stack import Stack, running

# All clients come from one address, so that has no bound.
UNBOUNDED = {"MESSENGER_GATEWAY__CONNECTIONS_BY_ADDRESS": "0"}


@contextmanager
def system(
    instances: int = 1, settings: dict[str, str] | None = None, folder: Path | None = None
) -> Iterator[Stack]:
    """A started stack in a folder of its own, in `folder` where that is given."""
    with (
        tempfile.TemporaryDirectory(dir=folder) as own,
        running(Stack(Path(own), "apart", {**UNBOUNDED, **(settings or {})}, instances)) as stack,
    ):
        yield stack


def people(stack: Stack, count: int) -> list[Person]:
    """Registered users."""
    return [Person(stack.urls[number % len(stack.urls)]) for number in range(count)]


def processes(stack: Stack) -> dict[str, float]:
    """CPU seconds so far, by part of the system."""
    found: dict[str, float] = {}
    for name, process in stack.processes.items():
        if name != "engines":
            part = name.rpartition("-")[0]
            found[part] = found.get(part, 0.0) + cpu_seconds(process.pid)
    for engine in ("postgres", "nats", "valkey", "seaweedfs"):
        found[engine] = cpu_seconds(stack.engine(engine).pid, whole_family=True)
    return found


def scalar(stack: Stack, sql: str) -> int:
    """The one number that a query gives."""
    connection = stack.database()
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            row = cursor.fetchone()
            assert row is not None
            return int(row[0])
    finally:
        connection.close()
