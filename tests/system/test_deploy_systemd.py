"""Each unit's own command line with its own environment, as systemd starts it, on real engines.

This test stands where systemd would: it listens for the gateway and hands the socket over, hears what the
processes tell by sd_notify, and has the credentials where `%d` leads.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy import units
from tests.deploy.facts import ROOT
from tests.system.deployed import Places, engines, launch, programs, round_trip, run
from tests.system.process import Process
from tests.system.stack import Stack
from tests.system.waiting import until

pytestmark = pytest.mark.system

# What systemd does between fork and exec: the socket is descriptor 3, LISTEN_PID the process's own id.
START = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid()); "
    "os.execvp(sys.argv[2], sys.argv[2:])"
)


class Manager:
    """Hears what processes tell, each on a socket of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sockets: dict[str, socket.socket] = {}
        self._heard: dict[str, list[str]] = {}

    def environment(self, name: str) -> dict[str, str]:
        path = self._folder / f"{name}.notify"
        self._sockets[name] = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sockets[name].bind(str(path))
        self._sockets[name].setblocking(False)
        self._heard[name] = []
        return {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1000000"}

    def heard(self, name: str) -> list[str]:
        while True:
            try:
                text = self._sockets[name].recv(4_096).decode()
            except BlockingIOError:
                return self._heard[name]
            self._heard[name] += text.splitlines()


class Units:
    """The units, running."""

    def __init__(self, folder: Path, stack: Stack) -> None:
        self.folder = folder
        self.stack = stack
        self.manager = Manager(folder)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.credentials = folder / "credentials"
        addresses = stack.engines
        secrets = json.loads((stack.data / "secrets.json").read_text())
        self.credentials.mkdir()
        for name, value in {
            "postgres_password": secrets["postgres_password"],
            "nats_password": secrets["nats_password"],
            "redis_password": secrets["valkey_password"],
            "s3_access_key": addresses["s3_access_key"],
            "s3_secret_key": addresses["s3_secret_key"],
        }.items():
            (self.credentials / name).write_text(value)
        script = ROOT / "deploy/make-secrets.sh"
        subprocess.run([script, self.credentials], check=True, capture_output=True, timeout=60)
        programs(folder)
        self.places = Places(
            folder,
            {
                "127.0.0.1:5432": f"127.0.0.1:{addresses['postgres_port']}",
                "127.0.0.1:4222": addresses["nats_url"].rpartition("@")[2],
                "127.0.0.1:6379": addresses["redis_url"].rpartition("@")[2].partition("/")[0],
                "127.0.0.1:9000": addresses["s3_endpoint"].rpartition("/")[2],
            },
            {
                "/etc/messenger/messenger.toml": folder / "messenger.toml",
                "/opt/secure-messenger/bin/": Path(""),
            },
        )
        text = (units.FOLDER / "messenger.toml").read_text()
        text = text.replace("port = 5432", f"port = {addresses['postgres_port']}")
        (folder / "messenger.toml").write_text(self.places.text(text))

    def command(self, name: str) -> tuple[list[str], dict[str, str]]:
        found = units.process(name, str(self.credentials))
        command = [part.removeprefix("/opt/secure-messenger/bin/") for part in found.command]
        return command, found.environment

    def start(self, name: str) -> Process:
        command, environment = self.command(name)
        told = self.manager.environment(name)
        if name in ("auth", "file", "key"):
            # On the standard port in the unit; here on one that is free.
            port = {"auth": 8081, "file": 8083, "key": 8084}[name]
            told[f"MESSENGER_{name.upper()}__LISTEN"] = f"tcp:{port}:interface=127.0.0.1"
        if name == "gateway":
            number = str(self.listening.fileno())
            command = [sys.executable, "-c", START, number, *command]
            told |= {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"}
            for one, port in (("AUTH", 8081), ("FILE", 8083), ("KEY", 8084)):
                told[f"MESSENGER_GATEWAY__{one}"] = f"127.0.0.1:{port}"
            os.set_inheritable(self.listening.fileno(), True)
        return launch(self.stack, self.places, name, command, {**environment, **told}, self.listening)

    def until_heard(self, name: str, line: str) -> None:
        process = self.stack.processes[name]

        def heard() -> bool:
            assert process.running() or line == "STOPPING=1", process.text()[-3000:]
            return line in self.manager.heard(name)

        until(heard, 60.0)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Units]:
    folder = Path(tmp_path_factory.mktemp("systemd"))
    stack = engines(folder / "engines")
    try:
        found = Units(folder, stack)
        run(found.places, *found.command("migrate"))
        for name in ("auth", "key", "message", "file", "gateway"):
            found.start(name)
        for name in ("auth", "key", "message", "file", "gateway"):
            found.until_heard(name, "READY=1")
        yield found
    finally:
        stack.stop()


def test_it_can_be_used(system: Units) -> None:
    round_trip(system.url)


def test_the_watchdog_is_fed(system: Units) -> None:
    system.until_heard("message", "WATCHDOG=1")


def test_a_reload_is_told_and_ends_nobody(system: Units) -> None:
    gateway = system.stack.processes["gateway"]
    gateway.send(signal.SIGHUP)
    system.until_heard("gateway", "RELOADING=1")
    heard = system.manager.heard("gateway")
    until(lambda: "READY=1" in system.manager.heard("gateway")[heard.index("RELOADING=1") :])
    assert gateway.running()


def test_a_gateway_that_starts_again_refuses_nobody(system: Units) -> None:
    gateway = system.stack.processes["gateway"]
    gateway.terminate()
    system.until_heard("gateway", "STOPPING=1")
    gateway.ended()
    with socket.create_connection(system.listening.getsockname(), 10) as waiting:
        waiting.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        (system.folder / "gateway.notify").unlink()
        system.start("gateway")
        waiting.settimeout(30)
        assert waiting.recv(1_000).startswith(b"HTTP/1.1 200 OK\r\n")
