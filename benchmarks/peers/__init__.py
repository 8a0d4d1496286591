"""Ours and other servers under the same load, in one run: 1:1 messages, stored and delivered live.

Debian's ejabberd and Prosody, each with its message archive in PostgreSQL, and ours. In each round a fresh
PostgreSQL is started, the one that `twist messenger` brings along, with the same settings for all; then each
server in turn, alone on it, is given the same load by the same generator. Of the rounds, that with the median
CPU a message is told. `make bench-peers` runs it, in some eight minutes; it installs nothing.
"""

import os
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.cpu import cpu_seconds
from benchmarks.generator import generator
from benchmarks.peers import debian
from benchmarks.peers.load import idle, load
from benchmarks.peers.summary import Measured, rows_of
from benchmarks.peers.systems import PAIRS, SERVERS, Server, System
from benchmarks.report import Row
from benchmarks.system import UNBOUNDED
from tests.system.stack import Stack

ROUNDS = 3
IN_FLIGHT = (1, 8)
WARMUP = 3.0
SECONDS = 10.0
IDLE = 500
SETTLE_SECONDS = 10.0  # what opening connections has left to do is done


def run() -> list[Row]:
    """All rows; Missing, where a package is."""
    versions = debian.versions()
    busy = os.getloadavg()[0]
    measured: dict[tuple[str, int], list[Measured]] = {}
    memory: dict[str, float] = {}
    for _ in range(ROUNDS):
        _round(measured, memory)
    return rows_of(measured, memory, versions, busy)


def _round(measured: dict[tuple[str, int], list[Measured]], memory: dict[str, float]) -> None:
    """Measure each server once; memory in the first round only."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), "apart", UNBOUNDED, 1)
        try:
            stack.start_engines()
            for server in SERVERS:
                first = server.name not in memory
                with server.start(stack, IDLE if first else 2 * PAIRS) as system:
                    if first:
                        memory[server.name] = _idle(system)
                    for in_flight in IN_FLIGHT:
                        found = _measure(stack, server, system, in_flight)
                        measured.setdefault((server.name, in_flight), []).append(found)
        finally:
            stack.stop()


def _measure(stack: Stack, server: Server, system: System, in_flight: int) -> Measured:
    """One measurement; AssertionError where the database doesn't hold each message that was done."""
    postgres = stack.engine("postgres").pid
    with closing(stack.database()) as connection, connection.cursor() as cursor:
        cursor.execute("checkpoint")  # of what was written before
    stored = system.stored()

    def used(pid: int) -> tuple[float, float, float]:
        return system.cpu(), cpu_seconds(postgres, whole_family=True), cpu_seconds(pid)

    with generator(load, system.kind, system.pairs, in_flight, WARMUP, SECONDS) as (pipe, pid):
        assert pipe.recv() == "begin"
        before = used(pid)
        assert pipe.recv() == "end"
        after = used(pid)
        figures = pipe.recv()
    stored = system.stored() - stored
    assert stored == server.rows * figures.done_in_all, (server.name, stored, figures)
    return Measured(figures, stored, *(late - early for early, late in zip(before, after, strict=True)))


def _idle(system: System) -> float:
    """Bytes of memory for each of IDLE connections on which nothing happens."""
    before = system.memory()
    with generator(idle, system.kind, system.users) as (pipe, _):
        assert pipe.recv() == IDLE
        time.sleep(SETTLE_SECONDS)
        after = system.memory()
        pipe.send("end")
    return (after - before) / IDLE
