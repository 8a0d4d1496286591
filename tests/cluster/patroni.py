"""Two PostgreSQL servers that Patroni watches over, and etcd: Debian's packages `patroni` and `etcd-server`.

The PostgreSQL is the one of the embedded engines. Each node is a Patroni with the server that it runs;
killed, both end at once, as when their machine loses power. Patroni waits for the leader's key to lapse
before it promotes the other one, TTL seconds at most.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg2

from messenger.standalone.engines.account import Account, account_for, give
from messenger.standalone.engines.wheels import find_programs, within_reach
from tests.system.stack import free_ports
from tests.system.waiting import until

TTL = 20  # the least that Patroni takes
START_SECONDS = 90.0
TRUST = ["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]


def why_not() -> str:
    """What is missing here; empty where nothing is."""
    missing = [name for name in ("patroni", "etcd") if shutil.which(name) is None]
    return f"there is no {' and no '.join(missing)}" if missing else ""


class Watched:
    """A node; its files are in `home`."""

    def __init__(self, home: Path, port: int, rest: int, etcd: int, account: Account | None) -> None:
        self.home = home
        self.port = port
        self._rest = rest
        self._account = account
        self._popen: subprocess.Popen[bytes] | None = None
        home.mkdir(mode=0o700)
        bin_dir = within_reach(find_programs().postgres, account).postgres.parent
        self._configuration = home / "patroni.yml"
        self._configuration.write_text(json.dumps(self._settings(etcd, str(bin_dir))))  # JSON is YAML, too
        give(home, account)
        give(self._configuration, account)

    def _settings(self, etcd: int, bin_dir: str) -> dict[str, Any]:
        rest, at = f"127.0.0.1:{self._rest}", f"127.0.0.1:{self.port}"
        return {
            "scope": "messenger",
            "name": self.home.name,
            "restapi": {"listen": rest, "connect_address": rest},
            "etcd3": {"host": f"127.0.0.1:{etcd}"},
            "bootstrap": {
                "dcs": {
                    "ttl": TTL,
                    "loop_wait": 2,
                    "retry_timeout": 5,
                    "synchronous_mode": True,
                    "postgresql": {"use_pg_rewind": True, "parameters": {"shared_buffers": "32MB"}},
                },
                "initdb": [{"encoding": "UTF8"}, "no-sync"],
                "pg_hba": TRUST,
            },
            "postgresql": {
                "listen": at,
                "connect_address": at,
                "data_dir": str(self.home / "data"),
                "bin_dir": bin_dir,
                "basebackup": [{"checkpoint": "fast"}, "no-sync"],
                "pgpass": str(self.home / "pgpass"),
                "authentication": {
                    "superuser": {"username": "postgres"},
                    "replication": {"username": "postgres"},
                },
                "parameters": {"unix_socket_directories": "", "fsync": "on"},
                "pg_hba": TRUST,
            },
        }

    def start(self) -> None:
        """Start Patroni, which starts the server when it is time to."""
        arguments = ["patroni", str(self._configuration)]
        self._popen = _begin(arguments, self.home, self._account)

    def followed(self) -> bool:
        """Whether Patroni knows of a standby that has all: only such a one may take over. PostgreSQL waits
        for it before Patroni has noted that."""
        try:
            found = httpx.get(f"http://127.0.0.1:{self._rest}/cluster", timeout=5).json()
        except (httpx.TransportError, ValueError):
            return False
        return any(one.get("role") == "sync_standby" for one in found.get("members", ()))

    def role(self) -> str:
        """`primary` or `standby`; empty where it does not serve."""
        try:
            found = self.sql("select pg_is_in_recovery()")
        except psycopg2.Error:
            return ""
        return "standby" if found[0][0] else "primary"

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a statement, by its administrator."""
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, dbname="postgres", user="postgres", connect_timeout=5
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def kill(self) -> None:
        """No process of it gets to say anything."""
        if self._popen is None:
            return
        found = _family(self._popen.pid)
        pid_file = self.home / "data" / "postmaster.pid"
        if pid_file.exists():
            found += _family(int(pid_file.read_text().split()[0]))
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in found:
                try:
                    os.kill(process.pid, number)
                except ProcessLookupError:
                    continue
        psutil.wait_procs(found, 10)
        self._popen.wait(10)


def _family(pid: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _begin(arguments: Sequence[str], home: Path, account: Account | None) -> subprocess.Popen[bytes]:
    with (home.parent / f"{home.name}.log").open("ab") as log:
        return subprocess.Popen(
            arguments,
            cwd=home,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else [],
            start_new_session=True,
        )


class Couple:
    """Two nodes and etcd; `primary` is the one that takes writes, `standby` the other. A commit is answered
    for once the standby has it too, as long as there is one."""

    def __init__(self, folder: Path) -> None:
        account = account_for(folder, folder)
        give(folder, account)
        self._etcd_ports = free_ports(6)
        self._etcd_home = folder / "etcd"
        self._etcd_home.mkdir(mode=0o700)
        give(self._etcd_home, account)
        self._account = account
        self._etcd: subprocess.Popen[bytes] | None = None
        client, _, *ports = self._etcd_ports
        self.nodes = [
            Watched(folder / "one", ports[0], ports[1], client, account),
            Watched(folder / "two", ports[2], ports[3], client, account),
        ]
        self.primary, self.standby = self.nodes

    @property
    def hosts(self) -> str:
        """Both, for `[database] host`."""
        return ",".join(f"127.0.0.1:{one.port}" for one in self.nodes)

    def start(self) -> None:
        """Start all, and wait until the standby is in step."""
        client, peer = (f"http://127.0.0.1:{port}" for port in self._etcd_ports[:2])
        arguments = [
            *("etcd", "--data-dir", str(self._etcd_home / "data")),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"default={peer}"),
        ]
        self._etcd = _begin(arguments, self._etcd_home, self._account)
        self.primary.start()
        until(lambda: self.primary.role() == "primary", START_SECONDS, 0.1)
        self.primary.sql("create database messenger")
        self.standby.start()
        self.in_step()

    def in_step(self) -> None:
        """Return once a commit waits for the standby."""
        until(self.primary.followed, START_SECONDS, 0.1)

    def fail_over(self) -> None:
        """The primary's machine is lost; return once Patroni has promoted the other."""
        self.primary.kill()
        until(lambda: self.standby.role() == "primary", START_SECONDS, 0.05)
        self.primary, self.standby = self.standby, self.primary

    def rebuild(self) -> None:
        """The machine that was lost comes back; Patroni makes of it what it can."""
        self.standby.start()
        self.in_step()

    def stop(self) -> None:
        """End all."""
        for node in self.nodes:
            node.kill()
        if self._etcd is not None:
            self._etcd.kill()
            self._etcd.wait(10)


@contextmanager
def couple() -> Iterator[Couple]:
    """Two nodes that run, in a folder that PostgreSQL's user may enter, and are ended whatever happens."""
    with tempfile.TemporaryDirectory(prefix="messenger-patroni-") as folder:
        made = Couple(Path(folder))
        try:
            made.start()
            yield made
        except BaseException:
            for log in Path(folder).glob("*.log"):
                print(f"{log.name}:\n{log.read_text(errors='replace')[-3000:]}")
            raise
        finally:
            made.stop()
