"""A server of somebody else's as a child process, in a folder of its own, never as the superuser."""

import os
import pwd
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg2

START_SECONDS = 60.0
STOP_SECONDS = 30.0
ACCOUNT = "nobody"
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Database:
    """A database of PostgreSQL's, and the role of the same name that owns it."""

    port: int
    name: str
    password: str = field(repr=False)

    def connect(self) -> psycopg2.extensions.connection:
        """A connection of its owner's."""
        return psycopg2.connect(
            host=HOST, port=self.port, dbname=self.name, user=self.name, password=self.password
        )


@dataclass(frozen=True)
class Plan:
    """How a server is started: its configuration files by name, its command line and its environment."""

    files: Mapping[str, str]
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


@contextmanager
def running(plan: Callable[[Path], Plan], port: int) -> Iterator[int]:
    """The process id of a server that listens on `port` of the loopback; it is ended with the block.

    `plan` is given the server's folder, which is gone afterwards. OSError where it doesn't listen within
    START_SECONDS, RuntimeError where it listens elsewhere too, or, with what it has said, where it ends.
    """
    with tempfile.TemporaryDirectory(prefix="peer-") as place:
        folder = Path(place)
        planned = plan(folder)
        for name, text in planned.files.items():
            (folder / name).write_text(text)
        as_whom: dict[str, object] = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam(ACCOUNT)
            as_whom = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            for path in (folder, *folder.iterdir()):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        log = folder / "output"
        with log.open("wb") as output:
            process = subprocess.Popen(  # type: ignore[call-overload]
                planned.arguments,
                cwd=folder,
                env={"PATH": "/usr/bin:/bin", "HOME": place, "LC_ALL": "C.UTF-8", **planned.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **as_whom,
            )
        try:
            _wait(process, port)
            _only_loopback(process.pid)
            yield process.pid
        except Exception as error:
            if process.poll() is None:
                raise
            logs = [log, *folder.glob("*.log")]
            said = "".join(path.read_text(errors="replace")[-3000:] for path in logs)
            raise RuntimeError(f"{planned.arguments[0]} has ended:\n{said}") from error
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection((HOST, port), 1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _only_loopback(pid: int) -> None:
    """RuntimeError where the server can be reached from elsewhere."""
    main = psutil.Process(pid)
    for one in (main, *main.children(recursive=True)):
        for connection in one.net_connections():
            if connection.laddr and not connection.laddr.ip.startswith(("127.", "::1")):
                raise RuntimeError(f"{one.name()} listens on {connection.laddr.ip}:{connection.laddr.port}")
