"""What systemd is told, on a real datagram socket."""

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from messenger.core import hangup
from messenger.core.lifecycle import STOP_SECONDS, Lifecycle, Ordered, StartError
from messenger.core.systemd import Systemd


class Reactor(Clock):
    """A clock that runs."""

    def callWhenRunning(self, function: Callable[..., object], *args: object) -> None:
        function(*args)

    def callFromThread(self, function: Callable[..., object], *args: object) -> None:
        function(*args)

    def stop(self) -> None:
        """Nothing to stop."""


class Manager:
    """Listens where systemd would."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self._socket.recv(4_096).decode())
            except BlockingIOError:
                return found


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@messenger-test-{os.getpid()}"


@pytest.fixture(autouse=True)
def _no_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(hangup, "_calls", [])


class Part:
    grace = 7.0

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    async def start(self) -> None:
        if self._error is not None:
            raise self._error

    async def stop(self) -> None:
        """At once."""


def test_a_whole_life(address: str) -> None:
    manager, reactor = Manager(address), Reactor()
    environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "4000000", "OTHER": "x"}
    told = Systemd(reactor, environ)
    assert environ == {"OTHER": "x"}  # a child must not speak for its parent
    running = Lifecycle(reactor, Ordered(reactor, [Part()]), systemd=told)
    assert manager.heard() == []
    running.startService()
    assert manager.heard() == ["READY=1\nSTATUS=ready", "WATCHDOG=1"]
    reactor.advance(1.9)
    assert manager.heard() == []
    reactor.pump([0.2, 2.0])
    assert manager.heard() == ["WATCHDOG=1", "WATCHDOG=1"]
    running.stopService()
    (stopping,) = manager.heard()
    lines = dict(line.split("=") for line in stopping.splitlines())
    assert lines["STOPPING"] == "1"
    assert int(lines["EXTEND_TIMEOUT_USEC"]) > (STOP_SECONDS + Part.grace) * 1e6


def test_a_reload_is_told_after_what_listens_to_sighup(address: str) -> None:
    manager, reactor = Manager(address), Reactor()
    hangup.on_hangup(reactor, lambda: told.tell("the certificate"))
    told = Systemd(reactor, {"NOTIFY_SOCKET": address})
    told.ready()
    manager.heard()
    for call in list(hangup._calls):
        call()
    certificate, reloading, ready = manager.heard()
    assert (certificate, ready) == ("the certificate", "READY=1")
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")


def test_a_failed_start_says_why(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messenger.core.lifecycle.exit_with", lambda _: None)
    monkeypatch.setattr("messenger.core.lifecycle.say", lambda _: None)
    manager, reactor = Manager(address), Reactor()
    part = Part(StartError("the port is taken;\nchange it"))
    Lifecycle(reactor, part, systemd=Systemd(reactor, {"NOTIFY_SOCKET": address})).startService()
    assert manager.heard() == ["STATUS=the port is taken; change it"]


@pytest.mark.parametrize(
    "environ", [{"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "often"}, {}]
)
def test_no_watchdog_is_fed_that_does_not_ask_for_us(address: str, environ: dict[str, str]) -> None:
    manager, reactor = Manager(address), Reactor()
    Systemd(reactor, {"NOTIFY_SOCKET": address, **environ}).ready()
    assert manager.heard() == ["READY=1\nSTATUS=ready"]
    assert not reactor.getDelayedCalls()


def test_without_systemd_nothing_happens() -> None:
    reactor = Reactor()
    told = Systemd(reactor, {})
    told.ready()
    told.stopping(1.0)
    assert hangup._calls == []
    assert not reactor.getDelayedCalls()


def test_a_manager_that_is_gone_is_no_harm(tmp_path: Path) -> None:
    told = Systemd(Reactor(), {"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    told.tell("READY=1")
    told.tell("READY=1")
