"""Asks an engine, in its own protocol, whether it serves.

That a port is open says little: PostgreSQL opens it while it still recovers, and SeaweedFS's S3 answers
before there is a place to put anything. A probe is some bytes to send on a new connection and a function that
judges the answer as it comes: True, serving; False, not yet; None, more is needed to tell.

- PostgreSQL (protocol 3.0): StartupMessage; serving, it asks for a password ('R'), else it sends an error.
- NATS: CONNECT with the password, PING; serving, INFO with `"jetstream":true` comes and in the end PONG.
- Valkey (RESP2): AUTH, PING; serving, +OK and +PONG come, while it loads its data an error.
- SeaweedFS (HTTP/1.0): GET; serving, S3 says 200, and the master knows of room for volumes.
"""

import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from messenger.core.waits import within
from messenger.standalone.engines.ports import HOST

PATIENCE = 2.0  # seconds for one answer
MOST = 65536  # bytes of an answer that are looked at


@dataclass(frozen=True)
class Probe:
    """One question to one port. The request may hold a password: it isn't shown."""

    port: int
    request: bytes = field(repr=False)
    judge: Callable[[bytes], bool | None]


def postgres(port: int, user: str) -> Probe:
    """Serving: it would let `user` log in."""
    options = b"".join(text.encode() + b"\0" for text in ("user", user, "database", "postgres"))
    body = struct.pack("!I", 3 << 16) + options + b"\0"
    message = struct.pack("!I", len(body) + 4) + body
    return Probe(port, message, lambda seen: seen[:1] == b"R" if seen else None)


def nats(port: int, user: str, password: str) -> Probe:
    """Serving: JetStream is there, and it takes the password."""
    connect = json.dumps({"verbose": False, "pedantic": False, "user": user, "pass": password})

    def judge(seen: bytes) -> bool | None:
        if b"-ERR" in seen:
            return False
        return b'"jetstream":true' in seen if b"PONG\r\n" in seen else None

    return Probe(port, f"CONNECT {connect}\r\nPING\r\n".encode(), judge)


def valkey(port: int, password: str) -> Probe:
    """Serving: its data is loaded, and it takes the password."""
    secret = password.encode()
    request = b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n*1\r\n$4\r\nPING\r\n" % (len(secret), secret)
    answer = b"+OK\r\n+PONG\r\n"
    return Probe(
        port,
        request,
        lambda seen: None if len(seen) < len(answer) and answer.startswith(seen) else seen == answer,
    )


def http(port: int, path: str, pattern: bytes = rb"") -> Probe:
    """Serving: GET says 200, and `pattern` stands in the body."""

    def judge(seen: bytes) -> bool | None:
        head, end, body = seen.partition(b"\r\n\r\n")
        if not end:
            return None
        if not re.match(rb"HTTP/1\.[01] 200 ", head):
            return False
        return True if re.search(pattern, body) else None

    return Probe(port, f"GET {path} HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode(), judge)


class _Question(Protocol):
    """Sends the request and judges until there is a verdict; a connection that ends first is a no."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._seen = b""
        self.verdict: Deferred[bool] = Deferred(lambda _: self._hang_up())

    def connectionMade(self) -> None:
        self.transport.write(self._probe.request)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self._seen = (self._seen + data)[:MOST]
        verdict = self._probe.judge(self._seen)
        if verdict is None and len(self._seen) == MOST:
            verdict = False
        if verdict is not None and not self.verdict.called:
            self.verdict.callback(verdict)
            self._hang_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.verdict.called:
            self.verdict.callback(False)

    def _hang_up(self) -> None:
        self.transport.loseConnection()  # type: ignore[union-attr]


class _Once(Factory):
    """Builds the one `_Question`, without a line in the log for it."""

    noisy = False

    def __init__(self, probe: Probe) -> None:
        self.question = _Question(probe)

    def buildProtocol(self, addr: IAddress | None) -> _Question:
        return self.question


async def ask(reactor: Any, probe: Probe) -> bool:
    """Whether the engine serves; False too if it can't be connected to or says nothing for PATIENCE."""
    endpoint = TCP4ClientEndpoint(reactor, HOST, probe.port, timeout=PATIENCE)
    try:
        once = _Once(probe)
        await endpoint.connect(once)
        return await within(reactor, PATIENCE, once.question.verdict)
    except (ConnectError, ConnectionClosed, TimeoutError):
        return False
