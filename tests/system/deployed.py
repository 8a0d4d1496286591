"""A system as a deployment describes it, on this machine: its own command lines with its own environment.

What a plain process can't have is replaced, and nothing else: names of hosts and their ports by ports of the
loopback, the paths of secrets and configurations by where the test has them. Engines are real ones, out of
wheels. `round_trip` then uses the whole.
"""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from messenger.standalone.engines.wheels import find_programs
from tests.system.people import Person
from tests.system.process import Process
from tests.system.stack import OPEN, Stack, free_ports
from tests.system.waiting import until

BIN = Path(sys.executable).parent
STANDARD = {"auth": 8081, "message": 8082, "file": 8083, "key": 8084}


def engines(folder: Path) -> Stack:
    """A stack of engines only: PostgreSQL, NATS, Valkey and S3, which have started."""
    stack = Stack(folder, "apart", instances=1)
    stack.processes = {"engines": stack.processes["engines"]}
    stack.start_engines()
    return stack


class Places:
    """What replaces what in environments and command lines. `ports` are ours, by those in the description."""

    def __init__(self, folder: Path, hosts: Mapping[str, str], paths: Mapping[str, Path]) -> None:
        self.folder = folder
        self._hosts = dict(hosts)  # "nats:4222": "127.0.0.1:30001"
        self._paths = dict(paths)
        self.ports: dict[int, int] = {}

    def port(self, described: int) -> int:
        """The port of the loopback that stands for this one."""
        if described not in self.ports:
            (self.ports[described],) = free_ports(1)
        return self.ports[described]

    def text(self, text: str) -> str:
        """`text` with all of that replaced."""
        for path, here in self._paths.items():
            text = text.replace(path, str(here))
        for place, here in self._hosts.items():
            text = re.sub(rf"(?<![\w.-]){re.escape(place)}\b", here, text)
        for service, number in STANDARD.items():
            text = re.sub(rf"\b(?:{service}|127\.0\.0\.1):{number}\b", f"127.0.0.1:{self.port(number)}", text)
        return re.sub(
            r"\btcp:(\d+)(?::interface=127\.0\.0\.1)?",
            lambda found: f"tcp:{self.port(int(found[1]))}:interface=127.0.0.1",
            text,
        )

    def environment(self, described: Mapping[str, str]) -> dict[str, str]:
        """What a process gets: what is described, what keeps limits out of the way, and the machine's own."""
        found = {key: value for key, value in os.environ.items() if not key.startswith("MESSENGER_")}
        found |= {
            "PATH": f"{self.folder / 'bin'}:{BIN}:{os.environ['PATH']}",
            "PYTHONUNBUFFERED": "1",
            **OPEN,
        }
        for variable, value in described.items():
            if variable.endswith("TRUSTED_PROXIES") and value:
                value = "127.0.0.1"  # where the gateway is, here
            found[variable] = self.text(value)
        if "MESSENGER_DATABASE__HOST" in described:
            place = f"{described['MESSENGER_DATABASE__HOST']}:{described['MESSENGER_DATABASE__PORT']}"
            host, _, port = self._hosts[place].rpartition(":")
            found |= {"MESSENGER_DATABASE__HOST": host, "MESSENGER_DATABASE__PORT": port}
        return found


def programs(folder: Path) -> None:
    """The engines' programs by their usual names, in `folder`/bin."""
    found = find_programs()
    place = folder / "bin"
    place.mkdir()
    for name, program in {"nats-server": found.nats, "valkey-server": found.valkey}.items():
        (place / name).symlink_to(program)


def run(places: Places, command: list[str], described: Mapping[str, str]) -> str:
    """What a command prints that ends by itself, and well."""
    done = subprocess.run(
        [places.text(part) for part in command],
        env=places.environment(described),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def launch(
    stack: Stack,
    places: Places,
    name: str,
    command: list[str],
    described: Mapping[str, str],
    handed: socket.socket | None = None,
) -> Process:
    """Start a process of the stack's, which inherits the socket `handed`."""
    found = Process(
        name,
        [places.text(part) for part in command],
        places.environment(described),
        stack.logs / f"{name}.log",
        handed=() if handed is None else (handed.fileno(),),
    )
    stack.processes[name] = found
    found.start()
    return found


def well(places: Places, process: Process, check: list[str]) -> bool:
    """What the process's own health check says."""
    assert process.running(), f"{process.name} has ended:\n{process.text()[-3000:]}"
    port = int(check[-1].rpartition(":")[2].partition("/")[0])
    command = [*check[:-1], check[-1].replace(f":{port}/", f":{places.port(port)}/")]
    done = subprocess.run(
        command, env=places.environment({}), capture_output=True, text=True, timeout=20, check=False
    )
    return done.returncode == 0


def until_well(places: Places, process: Process, check: list[str]) -> None:
    """Return once the health check says yes."""
    until(lambda: well(places, process, check), 60.0, 0.2)


def round_trip(url: str) -> None:
    """Two people register, publish keys, claim, write over HTTP and a WebSocket, and share a file."""
    alice, bob = Person(url, "alice"), Person(url, "bob")
    alice.publish()
    bob.publish()
    (bundle,) = alice.ok("POST", "/keys/claim", json={"user_id": bob.user_id})["items"]
    assert bundle["one_time_prekey"] is not None
    conversation = alice.direct(bob)
    with bob.socket() as socket:
        socket.until("synced")
        assert alice.send(conversation, b"by HTTP")["seq"] == 1
        message = socket.until("message")
        assert (message["seq"], message["sender_id"]) == (1, alice.user_id)
    blob = os.urandom(3 << 20)
    file = alice.ok(
        "POST",
        "/files",
        201,
        content=blob,
        headers={"Content-Type": "application/octet-stream", "X-Conversation-ID": conversation},
    )
    assert bob.http.get(f"/files/{file['file_id']}").content == blob
    assert httpx.get(f"{url}/ready").status_code == 200
