"""Leaving HTTP: `Upgrade: websocket` (RFC 9110 section 7.8, RFC 6455 section 4).

`check_upgrade` judges the handshake's form, so that a refusal is a problem document like any other.
`take_over` then detaches the connection from HTTP: its deadlines end, its producer is unregistered, and
whoever took it owns the transport and the bytes that had come already. `hand_over` gives both to a protocol.
"""

# mypy: allow-untyped-calls
# What is overridden here is not annotated in Twisted.

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.protocols.policies import ProtocolWrapper

from messenger.wire.errors import Code, Problem

if TYPE_CHECKING:
    from messenger.core.http.request import Request

SWITCHING = 101
UPGRADE_REQUIRED = 426
_KEY = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==", re.ASCII)


class NoUpgrade(Exception):
    """The handshake is not acceptable; `status` stands in for the problem's own."""

    def __init__(self, problem: Problem, status: int | None = None) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.status = status


def _tokens(request: "Request", name: bytes) -> set[bytes]:
    values = request.requestHeaders.getRawHeaders(name, [])
    return {token.strip().lower() for value in values for token in value.split(b",")}


def wants_upgrade(request: "Request") -> bool:
    """Whether this is an attempt at a WebSocket, well formed or not."""
    return b"websocket" in _tokens(request, b"Upgrade")


def check_upgrade(request: "Request") -> None:
    """Return where the handshake is well formed (RFC 6455 section 4.2.1); else raise NoUpgrade."""
    required = {"Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    if request.method not in (b"GET", b"HEAD"):
        raise NoUpgrade(Problem(Code.method_not_allowed, headers={"Allow": "GET, HEAD"}))
    if (
        request.method != b"GET"
        or request.clientproto != b"HTTP/1.1"
        or not wants_upgrade(request)
        or b"upgrade" not in _tokens(request, b"Connection")
    ):
        problem = Problem(Code.bad_request, "This path speaks WebSocket only.", headers=required)
        raise NoUpgrade(problem, UPGRADE_REQUIRED)
    if request.body.length != 0:
        raise NoUpgrade(Problem(Code.bad_request, "A handshake has no body."))
    if request.requestHeaders.getRawHeaders(b"Sec-WebSocket-Version") != [b"13"]:
        problem = Problem(Code.bad_request, "The version of WebSocket is 13.", headers=required)
        raise NoUpgrade(problem, UPGRADE_REQUIRED)
    keys = request.requestHeaders.getRawHeaders(b"Sec-WebSocket-Key", [])
    if len(keys) != 1 or not _KEY.fullmatch(keys[0].decode("latin-1")):
        raise NoUpgrade(Problem(Code.bad_request, "Sec-WebSocket-Key is not 16 bytes in base64."))


class Taken(NamedTuple):
    """A transport, free of HTTP, and what had been received on it beyond the request's head.

    It may be paused: the new owner resumes it, and calls `release`, if there is one, once it is gone.
    """

    transport: Any
    buffered: bytes
    release: Callable[[], object] | None


def take_over(request: "Request", status: int = SWITCHING) -> Taken:
    """Take the request's transport away from HTTP. The request is over, and logged with `status`."""
    channel, site, counted_as = request.channel, request.site, request.channel.counted_as
    transport = channel.transport
    buffered = b"".join(channel._dataBuffer) + channel.clearLineBuffer()
    channel._dataBuffer = []
    channel.detach()
    request.handed_over(status)
    return Taken(transport, buffered, None if counted_as is None else lambda: site.release(counted_as))


def hand_over(request: "Request", protocol: IProtocol, first: bytes = b"") -> None:
    """Connect the request's transport to `protocol`, which receives `first` and then what the client sent."""
    transport, buffered, release = take_over(request)
    attach(transport, protocol, release)
    if first + buffered:
        protocol.dataReceived(first + buffered)
    transport.resumeProducing()


def attach(transport: Any, protocol: Any, release: Callable[[], object] | None = None) -> None:
    """Make `protocol` the receiver of a transport that had another one; TLS wraps protocols in its own.

    `release` is called when the transport is gone.
    """
    if release is not None:

        def lost(reason: Any) -> None:
            del protocol.connectionLost
            release()
            protocol.connectionLost(reason)

        protocol.connectionLost = lost
    if isinstance(transport, ProtocolWrapper):
        transport.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    protocol.makeConnection(transport)


def handshake_bytes(request: "Request") -> bytes:
    """The request's head once more, for a protocol that parses it itself (Autobahn's).

    Without the extensions that the client offers: all are declined (RFC 6455 section 9.1), and Autobahn
    refuses a handshake over an offer that it can't parse.
    """
    lines = [request.method + b" " + request.uri + b" HTTP/1.1"]
    lines += [
        name + b": " + b",".join(values)
        for name, values in request.requestHeaders.getAllRawHeaders()
        if name.lower() != b"sec-websocket-extensions"
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def serve_websocket(request: "Request", factory: IProtocolFactory, protocol: IProtocol) -> None:
    """Hand the connection to a WebSocket protocol made by `factory`, which reads the handshake again."""
    del factory
    hand_over(request, protocol, handshake_bytes(request))
