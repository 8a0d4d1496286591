"""Few file descriptors are warned of at the start; that none is left is told once, not for each socket."""

import io
import json
import resource
import socket
from pathlib import Path

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.internet.tcp import _accept, _BuffersLogs, _FileDescriptorReservation
from twisted.logger import Logger, LogPublisher

from messenger.core import descriptors
from messenger.core.descriptors import DescriptorLimit, Exhaustion
from messenger.core.log import json_lines


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is logged, line by line."""
    out = io.StringIO()
    log = Logger(namespace="messenger.descriptors", observer=LogPublisher(json_lines("x")(out)))
    monkeypatch.setattr(descriptors, "log", log)
    return out


def test_a_low_limit_is_warned_of(out: io.StringIO) -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    for sockets in (1, limit):
        ensureDeferred(DescriptorLimit(sockets, "[gateway] connections").start())
    (line,) = [json.loads(one) for one in out.getvalue().splitlines()]
    assert (line["level"], line["event"], line["limit"]) == ("warn", "few_descriptors", limit)
    assert "[gateway] connections allows for" in line["message"]
    assert "ulimit" in line["message"]


class Listener:
    """A socket whose every `accept` finds that there is no descriptor left, until `left` clients were
    closed."""

    def __init__(self, clients: int) -> None:
        self.left = clients
        self.tries = 0

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        self.tries += 1
        if self.tries == 1:
            raise OSError(24, "Too many open files")
        if not self.left:
            raise BlockingIOError(11, "no more")
        self.left -= 1
        return socket.socket(), ("192.0.2.7", 4711)


def test_what_twisted_says_of_each_socket_is_said_once() -> None:
    out, now = io.StringIO(), [0.0]
    observer = json_lines("x")(out)
    observer._exhaustion = Exhaustion(lambda: now[0])  # type: ignore[attr-defined]

    def turned_away(clients: int) -> None:
        reserved = _FileDescriptorReservation(Path("/dev/null").open)
        reserved.reserve()
        with _BuffersLogs("twisted.internet.tcp.Port", observer) as logger:
            assert list(_accept(logger, range(1_000), Listener(clients), reserved)) == []

    for _ in range(50):
        turned_away(20)
        now[0] += 1
    (line,) = [json.loads(one) for one in out.getvalue().splitlines()]
    assert (line["level"], line["event"]) == ("error", "no_descriptors")
    assert "ulimit" in line["message"]
    assert "192.0.2.7" not in out.getvalue()
    now[0] += 61
    turned_away(1)
    assert len(out.getvalue().splitlines()) == 2


def test_other_lines_pass() -> None:
    passes = Exhaustion()
    event = {
        "log_namespace": "twisted.internet.tcp.Port",
        "log_format": "Could not accept new connection ({acceptError})",
    }
    assert passes({**event, "acceptError": "ECONNABORTED"}) is not None
    assert passes({**event, "log_namespace": "messenger.http"}) is not None
    assert passes({"log_format": "EMFILE is a word"}) is not None
