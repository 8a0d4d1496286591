"""Starts an engine's process, and tells when it has ended.

The process begins as `launch`, which says in a pid file which process it is and then becomes the engine. It
lives in a session of its own, ends when this process ends, however that happens, sees nothing of this
process's environment and files, and writes what it has to say to its log.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.process import reapAllProcesses
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from messenger.standalone.engines import launch
from messenger.standalone.engines.account import Account
from messenger.standalone.engines.pidfd import ProcessHandle

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
# For programs in Go. They share the machine with all the rest, and the more cores one of them sees, the more
# its threads wake each other for nothing.
HALF_THE_CORES = {"GOMAXPROCS": str(max(1, len(os.sched_getaffinity(0)) // 2))}
LINE = 300  # characters
# PostgreSQL, NATS, Valkey, and Go's log of SeaweedFS. What ends a program is mostly not the last that it
# says.
_FATAL = re.compile(r"\b(?:FATAL|PANIC): |\[FTL\]|# (?:FATAL|Fatal)|^F[0-9]{4} |initdb: error: ")
_TAKEN = re.compile("address already in use", re.IGNORECASE)  # EADDRINUSE, as all of them say it
_PASSING = re.compile(r"the database system is (?:starting up|shutting down|not yet accepting)")
LOG_BYTES = 1 << 20  # a longer log is put aside, as NAME.log.1, before the engine starts


@dataclass(frozen=True)
class Command:
    """A program to run. `argv` is for everyone to see; what is secret goes in `input`, its standard input.

    `death` is the signal it gets when this process ends unforeseen. `nice` is by how much its priority is
    lower than this process's, from 0 to 19.
    """

    argv: tuple[str, ...]
    cwd: Path
    input: bytes = field(default=b"", repr=False)
    death: int = signal.SIGTERM
    environment: Mapping[str, str] = field(default_factory=dict)
    nice: int = 0


@dataclass(frozen=True)
class Traces:
    """Where an engine called `name` leaves what outlives it."""

    log: Path
    pid_file: Path

    def error_line(self, start: int = 0) -> str:
        """The line of what was written to the log from byte `start` on that says why the engine ended: the
        last one that the engine itself calls fatal, else the last one that isn't empty."""
        said = self._said(start)
        fatal = [line for line in said if _FATAL.search(line) and not _PASSING.search(line)]
        return fatal[-1] if fatal else said[-1] if said else ""

    def tell_of_a_port(self, start: int = 0) -> bool:
        """Whether what was written from byte `start` on says that somebody else has a port."""
        return any(_TAKEN.search(line) for line in self._said(start))

    def _said(self, start: int) -> list[str]:
        try:
            with self.log.open("rb") as file:
                file.seek(max(start, self.log.stat().st_size - 8192))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return []
        return [line.strip()[:LINE] for line in lines if line.strip()]

    def make_room(self) -> None:
        """Keep the log bounded: put it aside if it is long."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_name(self.log.name + ".1"))


class Process(ProcessProtocol):
    """A process that was started. `log_start` is the size of its log in bytes before."""

    def __init__(self, reactor: Any, content: bytes, log_start: int) -> None:
        self._reactor = reactor
        self._handle: ProcessHandle | None = None
        self._content = content
        self.log_start = log_start
        self._waiting: list[Deferred[None]] = []
        self._exit: str | None = None

    def connectionMade(self) -> None:
        self._handle = ProcessHandle(self._reactor, _process(self).pid)
        self._handle.ended().addCallback(lambda _: reapAllProcesses())
        self.transport.write(self._content)  # type: ignore[union-attr]
        self.transport.closeStdin()  # type: ignore[union-attr]
        self._content = b""

    def processEnded(self, reason: Failure) -> None:
        self._exit = _say(reason)
        if self._handle is not None:
            self._handle.close()
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    @property
    def exit(self) -> str | None:
        """How it ended, as `status 1` or `signal SIGKILL`; None while it runs."""
        return self._exit

    @property
    def pid(self) -> int | None:
        """Its process id; None once it has ended."""
        return None if self._exit is not None else _process(self).pid

    def send(self, number: int) -> None:
        """Send it signal `number`; nothing happens if it has ended."""
        try:
            _process(self).signalProcess(number)
        except ProcessExitedAlready:
            return

    def ended(self) -> Deferred[None]:
        """Fires when it has ended. May be asked for, and cancelled, any number of times."""
        done: Deferred[None] = Deferred(self._waiting.remove)
        if self._exit is None:
            self._waiting.append(done)
        else:
            done.callback(None)
        return done


def _process(protocol: Process) -> IProcessTransport:
    transport = protocol.transport
    assert transport is not None
    return transport


def _say(reason: Failure) -> str:
    if reason.check(ProcessDone):
        return "status 0"
    value = reason.value
    number = getattr(value, "signal", None)
    if number:
        return f"signal {signal.Signals(number).name}"
    return f"status {getattr(value, 'exitCode', None)}"


class Launcher:
    """Starts processes as `account`, or as this process's user if that is None."""

    def __init__(self, reactor: Any, account: Account | None) -> None:
        self._reactor = reactor
        self.account = account

    def start(self, command: Command, traces: Traces) -> Process:
        """Start it, with its output appended to its log. OSError if there is no room for a process."""
        spec: dict[str, Any] = {
            "argv": command.argv,
            "cwd": str(command.cwd),
            "pid_file": str(traces.pid_file),
            "parent": os.getpid(),
            "death": int(command.death),
            "nice": command.nice,
        }
        if self.account is not None:
            spec |= {"uid": self.account.uid, "gid": self.account.gid}
        traces.make_room()
        log = os.open(traces.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = Process(self._reactor, command.input, os.fstat(log).st_size)
            self._reactor.spawnProcess(
                process,
                sys.executable,
                [sys.executable, "-I", "-S", launch.__file__, json.dumps(spec)],
                env={**ENVIRONMENT, **command.environment},
                path=str(traces.log.parent),
                childFDs={0: "w", 1: log, 2: log},
            )
        finally:
            os.close(log)
        return process
