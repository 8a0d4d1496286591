"""Whatever clients, services and time do: the gateway's connections come back, and nobody waits for ever."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.gateway.gateway_transport import Bench

STEPS = (
    "ask",
    "post",
    "stream",
    "socket",
    "body",
    "answer",
    "half",
    "switch",
    "nonsense",
    "reset",
    "end",
    "leave",
    "refuse",
    "silence",
    "accept",
    "second",
    "minute",
)
FILES = "/api/v1/files"
HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


class Town:
    """Clients of a gateway, and what becomes of them."""

    def __init__(self):
        self.bench = Bench({"file": ["10.0.0.3:80", "10.0.0.4:80"]})
        self.clients = []

    def ask(self, method, target, *headers):
        client = self.bench.connect()
        client.gone = False
        self.clients.append(client)
        client.request(method, target, *headers)

    @property
    def peers(self):
        """The services' ends that are open."""
        return [peer for peer in self.bench.network.peers if not peer.closed]

    def lose(self, client):
        """The client's connection ends, whoever has it by now."""
        client.gone = True
        client.transport.disconnected = True
        protocol = getattr(client.transport, "protocol", client.channel)
        protocol.connectionLost(Failure(ConnectionDone()))

    def settle(self):
        """What was closed at one end is closed at the other."""
        for peer in self.bench.network.peers:
            if peer.closed and not getattr(peer, "told", False):
                peer.told = True
                peer.leave(clean=not peer.transport.disconnected)
        for client in self.clients:
            if client.closed and not client.gone:
                self.lose(client)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9)), max_size=50))
def test_every_connection_comes_back(steps):
    town = Town()
    bench, network = town.bench, town.bench.network
    for step, number in steps:
        peer = town.peers[number % len(town.peers)] if town.peers else None
        here = [client for client in town.clients if not client.gone]
        client = here[number % len(here)] if here else None
        if step == "ask":
            town.ask("GET", FILES + "/x")
        elif step == "post":
            town.ask("POST", FILES, "Content-Length: 10")
        elif step == "stream":
            town.ask("POST", FILES, "Transfer-Encoding: chunked")
        elif step == "socket":
            town.ask("GET", "/ws", *HANDSHAKE)
        elif step == "body" and client is not None:
            client.send(b"5\r\nabcde\r\n0\r\n\r\n")
        elif step == "answer" and peer is not None:
            peer.answer(200, b"{}")
        elif step == "half" and peer is not None:
            peer.send(b"HTTP/1.1 200 X\r\nContent-Length: 90000\r\n\r\n" + b"x" * 70_000)
        elif step == "switch" and peer is not None:
            peer.send(b"HTTP/1.1 101 Up\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        elif step == "nonsense" and peer is not None:
            peer.send(b"220 ready\r\n\r\n")
        elif step in ("reset", "end") and peer is not None:
            peer.told = True
            peer.transport.disconnected = True
            peer.leave(clean=step == "end")
        elif step == "leave" and client is not None:
            town.lose(client)
        elif step == "refuse":
            network.down.add(f"10.0.0.{3 + number % 2}:80")
        elif step == "silence":
            network.silent.add(f"10.0.0.{2 + number % 3}:80")
        elif step == "accept":
            network.down.clear()
            network.silent.clear()
        elif step == "second":
            bench.pass_time(1)
        elif step == "minute":
            bench.pass_time(61)
        town.settle()
    for client in town.clients:
        if not client.gone:
            town.lose(client)
    for _ in range(5):
        bench.pass_time(61)
        town.settle()
    for name, upstream in bench.upstreams.items():
        assert upstream.in_flight == 0, name
        for address in upstream.addresses:
            assert (address.connecting, len(address.connections), address.sockets) == (0, 0, 0), name
    assert not town.peers  # idle ones have been kept for as long as they are


@pytest.mark.parametrize("silent", [False, True])
def test_as_many_as_are_allowed_may_fail_and_others_are_served(silent):
    bench = Bench(max_connections=8)
    for _ in range(3):
        (bench.network.silent if silent else bench.network.down).add("10.0.0.3:80")
        for _ in range(20):
            bench.connect().request("GET", FILES + "/x")
        bench.pass_time(6)
        bench.network.silent.clear()
        bench.network.down.clear()
        client = bench.connect()
        client.request("GET", FILES + "/x")
        bench.network.peers[-1].answer(200, b"{}")
        assert client.reply().status == 200
