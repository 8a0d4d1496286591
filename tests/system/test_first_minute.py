"""The first minute with the server: what it says, whom it lets in, and a second one on the same machine."""

import json
import os
import pty
import re
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from messenger.standalone.preflight import LISTENERS
from tests.admin.test_doctor import certificate
from tests.system.people import PASSWORD, unique
from tests.system.waiting import until

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
TWIST = (sys.executable, "-m", "twisted")
STRANGER = "127.0.0.77"
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("MESSENGER_")}


def free_base() -> int:
    """A port that nobody listens on, with those above it that a server takes besides."""
    for base in range(21_000, 32_000, 23):
        taken = []
        for *_, above, _ in LISTENERS:
            with socket.socket() as one:
                try:
                    one.bind(("127.0.0.1", base + above))
                except OSError:
                    taken.append(base + above)
        if not taken:
            return base
    raise AssertionError("no ports are free")


@dataclass
class Server:
    """A `twist messenger` that is told nothing but its data and its port."""

    data: Path
    port: int
    popen: subprocess.Popen[str]
    out: Path

    def said(self) -> str:
        return self.out.read_text()


def start(folder: Path, *arguments: str, wait: bool = True, **environment: str) -> Server:
    port = free_base()
    folder.mkdir(exist_ok=True)
    out = folder / "out"
    with out.open("w") as file:
        popen = subprocess.Popen(
            [*TWIST, "messenger", "--data", str(folder / "var"), "--port", str(port), *arguments],
            env={**CLEAN, "MESSENGER_AUTH__BCRYPT_COST": "4", **environment},
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
            text=True,
        )
    server = Server(folder / "var", port, popen, out)
    if wait:
        until(lambda: "stop with Ctrl-C" in server.said() or popen.poll() is not None, 60)
        assert popen.poll() is None, server.said()
    return server


def end(server: Server) -> None:
    server.popen.send_signal(signal.SIGTERM)
    server.popen.wait(20)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = start(tmp_path_factory.mktemp("first"))
    yield found
    end(found)


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A key and its certificate, which nobody vouches for."""
    private = generate_private_key(SECP256R1())
    path = certificate(folder, 30, private)
    key = folder / "key.pem"
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key, path


def spent() -> float:
    """Seconds of CPU that child processes have had: how long a thing takes where nobody else works."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def admin(data: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "messenger.admin.main", "--data", str(data), *arguments],
        env={**CLEAN, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_only_this_machine_gets_in_and_is_told_how_others_do(server: Server) -> None:
    assert httpx.get(f"http://127.0.0.1:{server.port}/ready", timeout=10).status_code == 200
    listening = {
        (one.laddr.ip, one.laddr.port)
        for one in psutil.Process(server.popen.pid).net_connections("inet")
        if one.status == psutil.CONN_LISTEN
    }
    assert listening == {("127.0.0.1", server.port + above) for *_, above, _ in LISTENERS}
    lines = [line for line in server.said().splitlines() if line.startswith("messenger: ")]
    assert lines[0].startswith(f"messenger: ready at http://127.0.0.1:{server.port}/, with its data in ")
    assert "for this machine alone" in lines[1]
    assert "MESSENGER_GATEWAY__LISTEN=ssl:" in lines[1]
    assert "MESSENGER_AUTH__REGISTRATION=invite" in lines[2]


def test_the_doctor_asks_the_server_that_runs_on_the_data(server: Server) -> None:
    done = admin(server.data, "doctor")
    assert done.returncode == 0, done.stdout
    assert len(re.findall(r"is ready, version", done.stdout)) == 5
    for *_, above, _ in LISTENERS[1:]:
        assert f" at 127.0.0.1:{server.port + above}: is ready" in done.stdout
    assert f"clients' entry http://127.0.0.1:{server.port}" in done.stdout
    assert "plain HTTP on all addresses" not in done.stdout


def test_a_second_server_is_one_setting(server: Server, tmp_path: Path) -> None:
    # Some of its ports are of other kinds, which the doctor is told of too.
    key, chain = self_signed(tmp_path)
    listens = {
        "MESSENGER_KEY__LISTEN": f"unix:{tmp_path}/key.sock",
        "MESSENGER_AUTH__LISTEN": f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={chain}",
    }
    other = start(tmp_path / "second", **listens)
    try:
        assert other.port != server.port
        assert httpx.get(f"http://127.0.0.1:{other.port}/ready", timeout=10).status_code == 200
        done = admin(other.data, "doctor")
        assert done.returncode == 0, done.stdout
        assert len(re.findall(r"is ready, version", done.stdout)) == 5
        assert f"key at unix:{tmp_path}/key.sock: is ready" in done.stdout
    finally:
        end(other)
    # Its data is there, and nobody serves it: that a server is ready elsewhere is no news of this one.
    done = admin(other.data, "doctor")
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("WRONG")]
    assert line.startswith(
        f"WRONG server: none is ready on {other.data}: start it by `twist messenger --data"
    )


def test_a_taken_port_is_told_before_anything_is_made(server: Server, tmp_path: Path) -> None:
    began = spent()
    done = subprocess.run(
        [*TWIST, "messenger", "--data", "new", "--port", str(server.port)],
        env={**CLEAN, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    (line,) = done.stderr.strip().splitlines()
    assert f"port {server.port} on 127.0.0.1 is taken, for the gateway" in line
    assert "--port 18080" in line
    assert done.returncode == 1
    assert not list(tmp_path.iterdir())
    assert spent() - began < 2


def test_make_run_tells_it_before_anything_is_installed(server: Server, tmp_path: Path) -> None:
    began = spent()
    command = ["make", "-C", str(ROOT), "run", f"VENV={tmp_path}/venv", f"PORT={server.port}"]
    done = subprocess.run(
        [*command, f"PYTHON={sys.executable}", f"DATA={server.data}"],
        env=CLEAN,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert spent() - began < 0.6
    line = done.stderr.splitlines()[0]
    assert f"{server.data} is in use by process {server.popen.pid}" in line
    assert f"which serves at http://127.0.0.1:{server.port}" in line
    assert "make run PORT=18080 DATA=var2" in line
    assert not (tmp_path / "venv").exists()


def test_a_wrong_port_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [*TWIST, "messenger", "--port", "70000"],
        env=CLEAN,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode != 0
    assert "--port is a number from 1 to 65525" in done.stdout + done.stderr


def test_lines_are_json_where_nobody_sits_and_for_people_at_a_terminal(
    server: Server, tmp_path: Path
) -> None:
    logged = [line for line in server.said().splitlines() if not line.startswith("messenger: ")]
    assert len(logged) > 5
    assert all(json.loads(line)["level"] for line in logged)
    main, terminal = pty.openpty()
    popen = subprocess.Popen(
        [*TWIST, "messenger-gateway"],
        env={
            **CLEAN,
            "MESSENGER_GATEWAY__LISTEN": "tcp:0:interface=127.0.0.1",
            "MESSENGER_GATEWAY__METRICS_LISTEN": "tcp:0:interface=127.0.0.1",
        },
        stdout=terminal,
        stderr=terminal,
        cwd=ROOT,
    )
    os.close(terminal)
    said = ""
    while "gateway listens on" not in said:
        said += os.read(main, 4_096).decode()
    popen.send_signal(signal.SIGTERM)
    popen.wait(20)
    assert re.search(r"^\d\d:\d\d:\d\d info     gateway listens on tcp:0", said, re.MULTILINE), said
    assert "{" not in said


def stranger(server: Server) -> socket.socket:
    """A connection of a client whose address nobody else has."""
    return socket.create_connection(("127.0.0.1", server.port), 10, source_address=(STRANGER, 0))


def test_few_descriptors_and_strangers_addresses(tmp_path: Path) -> None:
    server = start(tmp_path / "small", wait=False)
    resource.prlimit(server.popen.pid, resource.RLIMIT_NOFILE, (300, 300))
    until(lambda: "stop with Ctrl-C" in server.said() or server.popen.poll() is not None, 60)
    try:
        assert server.popen.poll() is None, server.said()
        lines = [json.loads(line) for line in server.said().splitlines() if line.startswith("{")]
        (warned,) = [line for line in lines if line.get("event") == "few_descriptors"]
        assert warned["limit"] == 300
        assert "ulimit" in warned["message"]
        crowd = [stranger(server) for _ in range(400)]
        until(lambda: "no_descriptors" in server.said(), 10)
        for one in crowd:
            one.close()
        url = f"http://127.0.0.1:{server.port}"
        transport = httpx.HTTPTransport(local_address=STRANGER)
        with httpx.Client(transport=transport, base_url=url, timeout=10) as client:
            until(lambda: client.get("/health").status_code == 200, 10)
            headers = {"X-Forwarded-For": "192.0.2.7"}
            body = {"username": unique(), "password": PASSWORD}
            session = client.post("/api/v1/auth/register", json=body, headers=headers).json()
            wrong = {**body, "password": "x" * 12}
            assert client.post("/api/v1/auth/login", json=wrong, headers=headers).status_code == 401
        with stranger(server) as bad:
            bad.sendall(b"no HTTP at all\r\n\r\n")
            assert bad.recv(100).startswith(b"HTTP/1.1 400")
        token = {"Authorization": f"Bearer {session['access_token']}"}
        with connect(
            f"ws://127.0.0.1:{server.port}/ws", sock=stranger(server), additional_headers=token
        ) as ws:
            assert '"hello"' in str(ws.recv(10))
            ws.socket.sendall(b"\xff" * 64)  # broken framing: the library says whose connection it drops
            with pytest.raises(ConnectionClosedError, match="1002"):
                list(ws)
    finally:
        end(server)
    lines = [json.loads(line) for line in server.said().splitlines() if line.startswith("{")]
    assert len([line for line in lines if line.get("event") == "no_descriptors"]) == 1
    assert not [line for line in lines if "EMFILE" in line["message"]]
    assert any("dropping connection" in line["message"] for line in lines)
    assert STRANGER not in server.said()
    assert "192.0.2.7" not in server.said()
