"""The services through PgBouncer in transaction pooling, the administrator by the direct port; and a failover
behind it."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from messenger.standalone.engines.account import account_for, give
from tests.cluster.failing_over import Talker, finish, ready_again
from tests.cluster.postgres_pair import Pair, pair
from tests.cluster.test_failover import check, served
from tests.system.people import Person
from tests.system.stack import Stack, free_ports
from tests.system.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.long]
PROGRAM = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
SERVICES = ("auth", "key", "message", "file")


class Pooler:
    """PgBouncer, in front of one server."""

    def __init__(self, folder: Path) -> None:
        (self.port,) = free_ports(1)
        self._folder = folder
        self._account = account_for(folder, folder)
        folder.mkdir()
        give(folder, self._account)
        names = [*(f"messenger_{name}" for name in SERVICES), "postgres"]
        (folder / "users.txt").write_text("".join(f'"{name}" "x"\n' for name in names))
        self._popen: subprocess.Popen[bytes] | None = None

    def point_at(self, port: int) -> None:
        """Have it go to this server, as what watches over the servers would."""
        (self._folder / "pgbouncer.ini").write_text(
            "[databases]\n"
            f"messenger = host=127.0.0.1 port={port} dbname=messenger\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            "auth_type = trust\nauth_file = users.txt\npool_mode = transaction\n"
            "ignore_startup_parameters = options\nserver_login_retry = 1\nlogfile = pgbouncer.log\n"
        )
        if self._popen is not None:
            self._popen.send_signal(1)  # SIGHUP

    def start(self) -> None:
        """Return once it listens."""
        ids = {} if self._account is None else {"user": self._account.uid, "group": self._account.gid}
        self._popen = subprocess.Popen(  # type: ignore[call-overload]
            [PROGRAM, "-q", "pgbouncer.ini"], cwd=self._folder, start_new_session=True, **ids
        )
        until(lambda: (self._folder / "pgbouncer.log").exists(), 10.0)

    def stop(self) -> None:
        """End it."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait(10)


@contextmanager
def pooled(folder: Path, servers: Pair) -> Iterator[Pooler]:
    """A pooler in front of the primary, whose schemas were made by its own port."""
    settings = {
        **{key: value for key, value in os.environ.items() if not key.startswith("MESSENGER_")},
        "MESSENGER_DATABASE__HOST": servers.hosts,
        "MESSENGER_DATABASE__SSLMODE": "disable",
        **{f"MESSENGER_{name.upper()}__DATABASE_PASSWORD": "x" for name in SERVICES},
    }
    subprocess.run([sys.executable, "-m", "messenger.admin.main", "migrate"], env=settings, check=True)
    pooler = Pooler(folder)
    pooler.point_at(servers.primary.port)
    pooler.start()
    try:
        yield pooler
    finally:
        pooler.stop()


async def talk(stack: Stack, servers: Pair, pooler: Pooler) -> list[Talker]:
    """Two talk while the primary dies behind the pooler."""
    ann, ben = Person(stack.url, "ann"), Person(stack.url, "ben")
    conversation = ann.direct(ben)
    talkers = [Talker(one, stack.url, conversation) for one in (ann, ben)]
    tasks = [asyncio.create_task(one.run()) for one in talkers]
    try:
        await asyncio.sleep(1)
        await asyncio.to_thread(servers.fail_over)
        pooler.point_at(servers.primary.port)
        print(f"ready {await ready_again(stack.url):.2f} s after promotion")
        await asyncio.sleep(2)
        await finish(talkers)
    finally:
        for task in tasks:
            task.cancel()
    return talkers


@pytest.mark.skipif(not Path(PROGRAM).exists(), reason="PgBouncer is not installed")
def test_a_failover_behind_a_pooler(tmp_path: Path) -> None:
    with pair(tmp_path, synchronous=True) as servers, pooled(tmp_path / "pooler", servers) as pooler:
        with served(tmp_path / "s", f"127.0.0.1:{pooler.port}") as stack:
            talkers = asyncio.run(talk(stack, servers, pooler))
            check(talkers, order=False)
    assert all(len(one.epochs) == 2 for one in talkers)
