"""A site on a Clock and an in-memory transport: bytes in, parsed answers out."""

import json
from dataclasses import dataclass

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from messenger.core.http.site import Site

HOST = b"Host: example.org\r\n"
GET = b"GET /api/v1/page HTTP/1.1\r\n"
POST = b"POST /api/v1/sum HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"


@dataclass
class Reply:
    """One parsed answer. Header names are in lower case; repeated ones are joined by a comma."""

    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["code"]


class Pipe(StringTransport):
    """A transport that closes for writing, as TCP's do."""

    half_closed = False

    def loseWriteConnection(self):
        self.half_closed = True


class Connection:
    """A client's end of one connection to a site."""

    def __init__(self, site, peer="192.0.2.7"):
        self.transport = Pipe(peerAddress=IPv4Address("TCP", peer, 4711))
        self.channel = site.buildProtocol(self.transport.getPeer())
        self.channel.makeConnection(self.transport)
        self.heads = []

    def send(self, data):
        self.channel.dataReceived(data)

    def request(self, method, target, *headers, body=b"", chunked=False):
        lines = [f"{method} {target} HTTP/1.1\r\n".encode(), HOST]
        lines += [header.encode("latin-1") + b"\r\n" for header in headers]
        if body and not chunked:
            lines.append(b"Content-Length: %d\r\n" % len(body))
        self.heads.append(method)
        self.send(b"".join(lines) + b"\r\n" + body)

    def leave(self):
        self.channel.connectionLost(Failure(ConnectionDone()))

    @property
    def closed(self):
        """Whether the server is done with the connection."""
        transport = self.transport
        return transport.disconnecting or transport.half_closed or transport.disconnected

    def replies(self):
        """The answers since the last time, in order."""
        data = self.transport.value()
        self.transport.clear()
        found = []
        while data:
            head, separator, data = data.partition(b"\r\n\r\n")
            assert separator, head
            status, *lines = head.decode("latin-1").split("\r\n")
            headers = {}
            for line in lines:
                name, _, value = line.partition(": ")
                key = name.lower()
                headers[key] = f"{headers[key]}, {value}" if key in headers else value
            code = int(status.split(" ")[1])
            method = self.heads.pop(0) if self.heads and code >= 200 else None
            body = b""
            if method != "HEAD" and code not in (100, 204, 304):
                if headers.get("transfer-encoding") == "chunked":
                    body, data = dechunk(data)
                else:
                    size = int(headers["content-length"])
                    assert len(data) >= size, "the answer is cut short"
                    body, data = data[:size], data[size:]
            found.append(Reply(code, headers, body))
        return found

    def reply_101(self):
        """The answer that ends HTTP here."""
        head, separator, rest = self.transport.value().partition(b"\r\n\r\n")
        assert separator
        assert rest == b""
        self.transport.clear()
        status, *lines = head.decode("latin-1").split("\r\n")
        assert status.startswith("HTTP/1.1 101 ")
        pairs = [line.partition(":") for line in lines]
        return Reply(101, {name.lower(): value.strip() for name, _, value in pairs}, b"")

    def reply(self):
        [one] = self.replies()
        return one


def dechunk(data):
    parts = []
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        parts.append(data[:length])
        assert data[length : length + 2] == b"\r\n"
        data = data[length + 2 :]
        if not length:
            return b"".join(parts), data


def site(app, **arguments):
    """A site on a Clock of its own, which is its `clock`."""
    clock = Clock()
    made = Site(clock, app, timer=clock.seconds, **arguments)
    made.clock = clock
    return made


class Logged:
    """Collects log events while a test runs."""

    def __init__(self, case):
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        case.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def requests(self):
        return [event for event in self.events if event.get("event") == "request"]
