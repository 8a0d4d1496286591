"""A primary and its standby, of the PostgreSQL that the embedded engines run: streaming replication by hand.

The programs are the wheel's. Nobody but this machine's loopback reaches them, so nobody is asked for a
password. PostgreSQL refuses to run as root: then it runs as the engines do, in its own directory.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from messenger.standalone.engines.account import HERE, account_for, give
from messenger.standalone.engines.wheels import find_programs, within_reach
from tests.system.stack import free_ports
from tests.system.waiting import until

START_SECONDS = 60.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "wal_level": "replica",
    "max_wal_senders": "5",
    "wal_keep_size": "512MB",
    "hot_standby": "on",
    "wal_receiver_status_interval": "1",
    "autovacuum": "off",
}


class Server:
    """One of them, with its data in `home`."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.port = port
        self._popen: subprocess.Popen[bytes] | None = None
        self._account = account_for(home.parent, home)
        self._bin = within_reach(find_programs().postgres, self._account).postgres.parent
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        give(home, self._account)

    def _begin(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        uid = None if self._account is None else self._account.uid
        gid = None if self._account is None else self._account.gid
        with (self.home.parent / f"{self.home.name}.log").open("ab") as log:
            return subprocess.Popen(
                [str(self._bin / program), *arguments],
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=uid,
                group=gid,
                extra_groups=None if uid is None else [],
                start_new_session=True,
            )

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs to its end."""
        status = self._begin(program, *arguments).wait(START_SECONDS)
        assert status == 0, self.log()

    def log(self) -> str:
        """What it has said lately."""
        return (self.home.parent / f"{self.home.name}.log").read_text(errors="replace")[-3000:]

    def make(self) -> None:
        """A new cluster."""
        self.run("initdb", f"--pgdata={HERE}", "--username=postgres", "--auth=trust", "--no-sync")

    def copy_of(self, primary: "Server") -> None:
        """A standby of that one, in streaming replication."""
        conninfo = f"host=127.0.0.1 port={primary.port} user=postgres application_name={self.home.name}"
        self.run("pg_basebackup", "-d", conninfo, "-D", HERE, "-R", "-X", "stream", "-c", "fast", "--no-sync")

    def start(self) -> None:
        """Return once it answers."""
        options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        self._popen = self._begin("postgres", "-D", HERE, "-p", str(self.port), *options)
        until(self._answers, START_SECONDS, 0.02)

    def _answers(self) -> bool:
        assert self._popen is not None
        assert self._popen.poll() is None, self.log()
        try:
            self.sql("select 1")
        except psycopg2.OperationalError:
            return False
        return True

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows of a statement, by its administrator."""
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, dbname=database, user="postgres", connect_timeout=5
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def promote(self) -> None:
        """Have the standby take over; return once it takes writes."""
        self.sql("select pg_promote(true, 30)")

    def cut_off(self) -> None:
        """Have the standby receive nothing any more."""
        self.sql("alter system set primary_conninfo = ''")
        self.sql("select pg_reload_conf()")
        until(lambda: not self.sql("select 1 from pg_stat_wal_receiver"), 10.0, 0.02)

    @property
    def processes(self) -> list[psutil.Process]:
        """All of its processes."""
        assert self._popen is not None
        main = psutil.Process(self._popen.pid)
        return [main, *main.children(recursive=True)]

    def hang(self) -> None:
        """Say nothing any more, to anybody."""
        for process in self.processes:
            process.suspend()

    def kill(self) -> None:
        """As when its machine loses power: no process gets to say anything."""
        if self._popen is None:
            return
        found = self.processes if self._popen.poll() is None else []
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in found:
                try:
                    os.kill(process.pid, number)
                except ProcessLookupError:
                    continue
        psutil.wait_procs(found, 10)
        self._popen.wait(10)


class Pair:
    """Two servers; `primary` is the one that takes writes, `standby` the other.

    `synchronous`: a commit is answered for once the standby has it too.
    """

    def __init__(self, folder: Path, *, synchronous: bool) -> None:
        self._synchronous = synchronous
        first, second = free_ports(2)
        self.primary, self.standby = Server(folder / "one", first), Server(folder / "two", second)

    @property
    def hosts(self) -> str:
        """Both, for `[database] host`."""
        servers = sorted((self.primary, self.standby), key=lambda one: one.home.name)
        return ",".join(f"127.0.0.1:{one.port}" for one in servers)

    def start(self) -> None:
        """Make both, and start them."""
        self.primary.make()
        self.primary.start()
        self.primary.sql("create database messenger")
        self._follow()

    def _follow(self) -> None:
        self.standby.copy_of(self.primary)
        self.standby.start()
        self.in_step()

    def in_step(self) -> None:
        """Return once the standby receives all that is written, and is waited for if it is synchronous."""
        names = self.standby.home.name if self._synchronous else ""
        self.primary.sql(f"alter system set synchronous_standby_names = '{names}'")
        self.primary.sql("select pg_reload_conf()")
        state = "sync" if self._synchronous else "async"
        asked = f"select 1 from pg_stat_replication where state = 'streaming' and sync_state = '{state}'"
        until(lambda: self.primary.sql(asked), 30.0, 0.05)

    def fail_over(self) -> None:
        """The primary dies, and the standby takes over."""
        self.primary.kill()
        self.take_over()

    def take_over(self) -> None:
        """The standby is the primary from now on. It waits for no standby of its own."""
        self.standby.promote()
        self.standby.sql("alter system set synchronous_standby_names = ''")
        self.standby.sql("select pg_reload_conf()")
        self.primary, self.standby = self.standby, self.primary

    def rebuild(self) -> None:
        """Make the one that died a standby, from nothing."""
        for entry in self.standby.home.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self._follow()

    def stop(self) -> None:
        """End both."""
        self.standby.kill()
        self.primary.kill()


@contextmanager
def pair(folder: Path, *, synchronous: bool) -> Iterator[Pair]:
    """Two servers that run, and are ended whatever happens."""
    made = Pair(folder, synchronous=synchronous)
    try:
        made.start()
        yield made
    finally:
        made.stop()
