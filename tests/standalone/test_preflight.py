"""What is in the way of a start is told by a file that knows the standard library alone."""

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from messenger.core.config import load
from messenger.standalone import preflight

FILE = preflight.__file__


def is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that is taken; the one before it is not."""
    while True:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            one.listen()
            port: int = one.getsockname()[1]
            if is_free(port - 1):
                yield port
                return


def said(folder: Path, *arguments: str, **environ: str) -> str:
    """What it says to a Python that has nothing installed."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", FILE, "--data", str(folder), *arguments],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.stdout == ""
    assert done.returncode == bool(done.stderr)
    assert "Traceback" not in done.stderr
    return done.stderr


def test_all_ports_follow_from_one() -> None:
    found = preflight.endpoints(8080)
    settings = load(None, {})
    # The same as those of the services apart; the gateway's alone is for this machine only.
    for section, key, *_ in preflight.LISTENERS[1:]:
        assert getattr(getattr(settings, section), key) == found[section][key]
    assert settings.gateway.listen == "tcp:8080"
    assert found["gateway"]["listen"] == "tcp:8080:interface=127.0.0.1"
    assert (
        load(None, {}, preflight.endpoints(18080)).gateway.metrics_listen == "tcp:18090:interface=127.0.0.1"
    )


def test_a_port_that_is_taken_is_named_with_the_way_out(tmp_path: Path, taken: int) -> None:
    line = said(tmp_path, "--port", str(taken))
    assert f"port {taken} on 127.0.0.1 is taken, for the gateway ([gateway] listen)" in line
    assert "make run PORT=18080 DATA=" in line
    line = said(tmp_path, "--port", str(taken - 1))
    assert f"port {taken} on 127.0.0.1 is taken, for the auth service" in line


def test_what_the_settings_name_counts(tmp_path: Path, taken: int) -> None:
    listen = f"tcp:{taken}:interface=127.0.0.1"
    assert "[gateway] listen" in said(tmp_path, MESSENGER_GATEWAY__LISTEN=f"unix:/x,{listen}")
    file = tmp_path / "messenger.toml"
    file.write_text(f'[key]\nlisten = "{listen}"\n')
    assert "[key] listen" in said(tmp_path, MESSENGER_CONFIG=str(file))
    file.write_text("what is this")
    assert "[key]" not in said(tmp_path, MESSENGER_CONFIG=str(file))


def test_what_listens_nowhere_is_not_taken(taken: int) -> None:
    for text in ("unix:/x", "systemd:index=0", f"tcp:{taken}:reusePort=yes", "tcp:99999", "what", "tcp:0"):
        assert preflight._taken(text) == ("", "")


def test_a_server_on_the_same_data_is_named(tmp_path: Path, taken: int) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "server.json").write_text(json.dumps({"urls": {"gateway": ["http://127.0.0.1:1"]}}))
    assert preflight.running(str(tmp_path)) == ""
    with open(tmp_path / "lock", "w") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert preflight.running(str(tmp_path)) == "process 4711, which serves at http://127.0.0.1:1"
        line = said(tmp_path, "--port", str(taken))
        assert f"{tmp_path} is in use by process 4711" in line
        assert "PORT=18080 DATA=" in line


@pytest.mark.parametrize("port", ["0", "65526", "x", "-1"])
def test_what_is_no_port(tmp_path: Path, port: str) -> None:
    assert "PORT is a number from 1 to 65525" in said(tmp_path, "--port", port)


def test_an_old_python_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "OLDEST", (3, 99))
    assert "Python 3.11 to 3.13 is needed" in preflight.wrong([], dict(os.environ))
