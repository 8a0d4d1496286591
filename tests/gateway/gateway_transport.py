"""A gateway between an in-memory client and upstreams that record what crossed."""

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectingCancelledError,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
)
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from messenger.core.http.site import Site
from messenger.gateway.app import Gateway
from messenger.gateway.cors import Origins
from messenger.gateway.upstream import Upstream
from messenger.wire.system import Info
from tests.core.http.http_transport import Connection, Pipe

INFO = Info(version="1", protocols=["messenger.v1"], registration="open", limits={"devices": 10}, features=[])


class UpPipe(Pipe):
    """The gateway's end of a connection to an upstream."""

    def setTcpNoDelay(self, enabled):
        pass

    def setTcpKeepAlive(self, enabled):
        pass


class Peer:
    """The service's end of one connection."""

    def __init__(self, protocol, host, port):
        self.address = f"{host}:{port}"
        self.transport = UpPipe(peerAddress=IPv4Address("TCP", host, port))
        self.transport.protocol = protocol

    @property
    def got(self):
        """What was received since the last look."""
        data = self.transport.value()
        self.transport.clear()
        return data

    def head(self):
        """The request line and the headers (names in lower case) of what was received, and the rest."""
        head, separator, rest = self.got.partition(b"\r\n\r\n")
        assert separator
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for text in lines:
            name, _, value = text.partition(": ")
            headers.setdefault(name.lower(), []).append(value)
        return line, headers, rest

    def send(self, data):
        self.transport.protocol.dataReceived(data)

    def answer(self, status=200, body=b"", *headers):
        lines = [f"HTTP/1.1 {status} X", *headers, f"Content-Length: {len(body)}"]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def leave(self, clean=True):
        self.transport.protocol.connectionLost(Failure(ConnectionDone() if clean else ConnectionLost()))

    @property
    def closed(self):
        return self.transport.disconnecting or self.transport.disconnected


class Network:
    """Where upstreams are reached: `down` has addresses that refuse, `silent` those that never answer."""

    def __init__(self):
        self.peers = []
        self.down = set()
        self.silent = set()
        self.tried = []

    def endpoint(self, host, port):
        network = self

        class Endpoint:
            def connect(self, factory):
                name = f"{host}:{port}"
                network.tried.append(name)
                there = IPv4Address("TCP", host, port)
                # As Twisted's endpoints tell it that an attempt was given up.
                attempt = Deferred(lambda given_up: given_up.errback(ConnectingCancelledError(there)))
                if name in network.down:
                    attempt.errback(Failure(ConnectionRefusedError()))
                elif name not in network.silent:
                    protocol = factory.buildProtocol(there)
                    peer = Peer(protocol, host, port)
                    network.peers.append(peer)
                    protocol.makeConnection(peer.transport)
                    attempt.callback(protocol)
                return attempt

        return Endpoint()


class Bench:
    """A gateway in front of upstreams on a network of its own."""

    def __init__(self, addresses=None, origins=(), trusted=(), services=None, web=(), **arguments):
        self.clock = Clock()
        self.network = Network()
        addresses = addresses or {}
        self.upstreams = {
            name: Upstream(
                self.clock,
                name,
                addresses.get(name, [f"10.0.0.{number}:80"]),
                endpoint=self.network.endpoint,
                **arguments,
            )
            for number, name in enumerate(("auth", "message", "file", "key"), 1)
        }
        self.gateway = Gateway(
            self.clock,
            {**self.upstreams, **(services or {})},
            info=INFO,
            openapi=b'{"openapi":"3.1.0"}',
            web=web,
            origins=Origins(origins),
        )
        self.site = Site(self.clock, self.gateway, timer=self.clock.seconds, trusted_proxies=trusted)
        self.client = self.connect()

    def connect(self):
        client = Connection(self.site)
        client.transport.setTcpKeepAlive = lambda enabled: None
        return client

    def request(self, *arguments, **named):
        self.client.request(*arguments, **named)

    @property
    def peer(self):
        """The latest connection to an upstream."""
        return self.network.peers[-1]

    def pass_time(self, seconds):
        for _ in range(int(seconds)):
            self.clock.advance(1)
