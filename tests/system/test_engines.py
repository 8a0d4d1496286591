"""The engines as a process of their own: what they promise at start, in a crash, and to other users."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import psutil
import psycopg2
import pytest
import redis

from messenger.standalone.engines.account import Account, closed_to
from tests.system.engine_server import NAMES, Server
from tests.system.stack import free_ports
from tests.system.waiting import until

pytestmark = pytest.mark.system


@pytest.fixture
def started() -> Iterator[Callable[..., Server]]:
    """Starts servers, and ends those that a failed test leaves."""
    servers: list[Server] = []

    def start(*arguments: Any, **options: Any) -> Server:
        servers.append(Server(*arguments, **options))
        return servers[-1]

    yield start
    for server in servers:
        if server.popen.poll() is None:
            server.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that tests only look at."""
    shared = Server(tmp_path_factory.mktemp("shared") / "data").ready()
    yield shared
    shared.stop()


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_all_engines_serve_from_the_first_moment(started: Callable[..., Server], tmp_path: Path) -> None:
    server = started(tmp_path / "data").ready()
    server.fill()
    server.check()
    assert server.stop()[0] == 0


def test_nobody_gets_in_without_the_password(server: Server) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        server.sql("SELECT 1", password="guess")
    host, port = server.addresses["nats_url"].rpartition("@")[2].split(":")

    async def work(stream: Any) -> None:
        await stream.account_info()

    with pytest.raises(nats.errors.Error, match=r"[Aa]uthorization"):
        server.jetstream(work, f"nats://{host}:{port}")
    with pytest.raises(redis.AuthenticationError):
        server.redis("redis://" + server.addresses["redis_url"].rpartition("@")[2]).ping()
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        server.s3("guess").list_buckets()


def test_no_part_of_seaweedfs_lists_blobs_by_plain_http(server: Server) -> None:
    def answer(port: int) -> bytes:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"GET /buckets/ HTTP/1.0\r\n\r\n")
                return connection.recv(64)
        except ConnectionRefusedError:  # the last of its parts open after S3 serves
            return b""

    ports = json.loads((server.data / "ports.json").read_text())
    for name in ("s3", "master", "volume", "filer"):
        said = until(lambda port=ports[name]: answer(port))
        assert said.startswith(b"HTTP/1.0 ")
        assert not said.startswith(b"HTTP/1.0 2")


def test_no_secret_stands_on_a_command_line_or_in_a_log(server: Server) -> None:
    known = server.secrets
    hidden = [
        known[name] for name in known if name not in ("database_passwords", "nats_user", "s3_access_key")
    ]
    hidden += known["database_passwords"].values()
    family = psutil.Process(server.popen.pid).children(recursive=True)
    assert len(family) > len(NAMES)
    seen = [" ".join(process.cmdline()) for process in family]
    seen += [log.read_text() for log in (server.data / "log").iterdir()]
    assert not [secret for secret in hidden for text in seen if secret in text]


def test_the_data_is_closed_to_others(server: Server) -> None:
    assert server.data.stat().st_mode & 0o777 == 0o700
    assert (server.data / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_the_engines_listen_on_loopback_only(server: Server) -> None:
    listening = {
        connection.laddr.ip
        for pid in server.pids.values()
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_files_yield_to_messages(server: Server) -> None:
    priorities = {name: psutil.Process(server.pid(name)).nice() for name in NAMES}
    files = priorities.pop("seaweedfs")
    assert {one + 5 for one in priorities.values()} == {files}


def test_the_engines_are_out_of_reach_of_ctrl_c(server: Server) -> None:
    sessions = {os.getsid(pid) for pid in server.pids.values()}
    assert sessions == set(server.pids.values())


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("server_encoding", "UTF8"),
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("password_encryption", "scram-sha-256"),
        ("shared_buffers", "128MB"),
        ("max_connections", "100"),
        ("unix_socket_directories", ""),
    ],
)
def test_postgresql_is_set_up_with_care(server: Server, setting: str, value: str) -> None:
    assert server.sql(f"SHOW {setting}") == [(value,)]


def test_every_statement_is_counted(server: Server) -> None:
    assert server.sql("SELECT count(*) > 0 FROM pg_stat_statements") == [(True,)]


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's engines are that user's")
def test_no_engine_of_the_superuser_is_one(server: Server) -> None:
    for pid in server.pids.values():
        assert 0 not in psutil.Process(pid).uids()


def test_a_restart_finds_data_and_ports_as_they_were(started: Callable[..., Server], tmp_path: Path) -> None:
    first = started(tmp_path / "data").ready()
    first.fill()
    begin = time.monotonic()
    assert first.stop()[0] == 0
    assert time.monotonic() - begin < 5.5
    assert not any(alive(pid) for pid in first.pids.values())
    second = started(tmp_path / "data").ready()
    assert second.addresses == first.addresses
    second.check()


@pytest.mark.long
def test_no_engine_outlives_its_server(started: Callable[..., Server], tmp_path: Path) -> None:
    first = started(tmp_path / "data").ready()
    first.fill()
    first.kill()
    until(lambda: not any(alive(pid) for pid in first.pids.values()), 5.0)
    second = started(tmp_path / "data").ready()
    second.check()


def test_a_start_right_after_a_crash_loses_nothing(started: Callable[..., Server], tmp_path: Path) -> None:
    server = started(tmp_path / "data").ready()
    server.fill()
    for _ in range(2):
        server.kill()
        server = started(tmp_path / "data").ready()
        server.check()


def test_a_crash_in_the_first_start_leaves_nothing_half_done(
    started: Callable[..., Server], tmp_path: Path
) -> None:
    for seconds in (0.3, 0.5, 0.7, 0.9):
        server = started(tmp_path / "data")
        time.sleep(seconds)
        server.kill()
    started(tmp_path / "data").ready().fill()


def test_what_hangs_is_ended_by_the_next_start(started: Callable[..., Server], tmp_path: Path) -> None:
    first = started(tmp_path / "data").ready()
    first.fill()
    hung = first.pids["nats"]
    os.kill(hung, signal.SIGSTOP)
    first.kill()
    assert alive(hung)
    second = started(tmp_path / "data").ready()
    assert not alive(hung)
    second.check()


@pytest.mark.long
def test_a_stranger_with_an_engines_number_is_left_alone(
    started: Callable[..., Server], tmp_path: Path
) -> None:
    first = started(tmp_path / "data").ready()
    first.stop()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        for name in NAMES:
            file = first.data / "run" / f"{name}.pid"
            file.write_text(json.dumps({**json.loads(file.read_text()), "pid": stranger.pid}))
        (first.data / "postgres" / "postmaster.pid").write_text(f"{stranger.pid}\n/proc/self/cwd\n0\n")
        started(tmp_path / "data").ready()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_engine_that_dies_comes_back(started: Callable[..., Server], tmp_path: Path) -> None:
    server = started(tmp_path / "data").ready()
    server.fill()

    def works() -> bool:
        try:
            server.check()
        except Exception:
            return False
        return True

    for name in NAMES:
        os.kill(server.pids[name], signal.SIGKILL)
        until(lambda name=name: server.pid(name) != server.pids[name])
        until(works, 20.0)
    status, errors = server.stop()
    assert status == 0
    assert errors.count("ended (signal SIGKILL): starting it again") == len(NAMES)


def test_a_second_server_on_the_same_data_is_refused(started: Callable[..., Server], server: Server) -> None:
    status, errors = started(server.data).ended()
    assert status == 1
    assert errors == f"messenger: {server.data} is in use by process {server.popen.pid}\n"
    assert all(alive(pid) for pid in server.pids.values())


def test_a_taken_port_is_named_and_nothing_is_left(started: Callable[..., Server], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, errors = started(tmp_path / "data", "--nats-port", str(port)).ended()
    assert (status, errors.count("\n")) == (1, 1)
    assert f"port {port} on 127.0.0.1, wanted for nats, is taken" in errors
    again = started(tmp_path / "data", "--nats-port", str(port)).ready()
    assert again.addresses["nats_url"].endswith(f":{port}")


def test_a_directory_with_something_else_is_not_taken(started: Callable[..., Server], tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("private")
    mode = tmp_path.stat().st_mode
    status, errors = started(tmp_path).ended()
    assert (status, errors.count("\n")) == (1, 1)
    assert "letter.txt" in errors
    assert tmp_path.stat().st_mode == mode


def test_lost_secrets_are_not_replaced(started: Callable[..., Server], tmp_path: Path) -> None:
    first = started(tmp_path / "data").ready()
    first.stop()
    (first.data / "secrets.json").unlink()
    status, errors = started(tmp_path / "data").ended()
    assert (status, errors.count("\n")) == (1, 1)
    assert "secrets.json is missing" in errors


def test_an_engine_that_cannot_start_says_why(started: Callable[..., Server], tmp_path: Path) -> None:
    first = started(tmp_path / "data").ready()
    first.stop()
    (first.data / "postgres" / "postgresql.conf").write_text("no_such_setting = 1\n")
    status, errors = started(tmp_path / "data").ended()
    assert (status, errors.count("\n")) == (1, 1)
    assert "PostgreSQL ended before it served" in errors
    assert "FATAL" in errors
    assert "postgres.log" in errors
    assert not any(alive(first.pid(name)) for name in NAMES)


def test_engines_end_when_standard_input_does(started: Callable[..., Server], tmp_path: Path) -> None:
    server = started(tmp_path / "data").ready()
    assert server.popen.stdin is not None
    server.popen.stdin.close()
    assert server.popen.wait(8.0) == 0


NOBODY = Account("nobody", 65534, 65534)


def python_for(account: Account) -> str:
    """A Python like this one that the account can run; the test is skipped if there is none."""
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, system):
        if Path(candidate).exists() and closed_to(account, Path(candidate).resolve()) is None:
            return candidate
    pytest.skip("there is no Python that an ordinary user can run")


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can be someone else")
@pytest.mark.long
def test_an_ordinary_user_can_do_all_this(started: Callable[..., Server]) -> None:
    options = {
        "python": python_for(NOBODY),
        "user": NOBODY.uid,
        "group": NOBODY.gid,
        "extra_groups": [],
        "env": {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
    }
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        os.chown(place, NOBODY.uid, NOBODY.gid)
        data = Path(place, "data")
        first = started(data, **options).ready()
        first.fill()
        first.kill()
        until(lambda: not any(alive(pid) for pid in first.pids.values()), 5.0)
        # The superuser may look after it, and the user find it usable after that.
        second = started(data).ready()
        second.check()
        second.stop()
        third = started(data, **options).ready()
        third.check()
        third.stop()


def test_asked_for_ports_are_given(started: Callable[..., Server], tmp_path: Path) -> None:
    ports = free_ports(3)
    server = started(
        tmp_path / "data",
        "--postgres-port",
        str(ports[0]),
        "--nats-port",
        str(ports[1]),
        "--valkey-port",
        str(ports[2]),
    ).ready()
    assert server.addresses["postgres_port"] == ports[0]
    assert server.addresses["nats_url"].endswith(f":{ports[1]}")
    assert server.addresses["redis_url"].endswith(f":{ports[2]}/0")
