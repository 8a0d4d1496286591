"""Which of several instances is asked, back-pressure both ways, readiness and the end."""

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.gateway.gateway_transport import Bench
from tests.gateway.proxy_case import FILES, LOGIN, OK, ProxyCase


class InstanceCase(ProxyCase):
    def test_the_next_instance_is_asked_where_one_is_away(self):
        self.bench = Bench({"auth": ["10.1.0.1:80", "10.1.0.2:80"]})
        self.client = self.bench.client
        self.bench.network.down.add("10.1.0.1:80")
        self.ask("POST", LOGIN, body=b"{}")
        assert self.bench.network.tried == ["10.1.0.1:80", "10.1.0.2:80"]
        self.bench.peer.answer(200)
        assert self.client.reply().status == 200
        self.bench.peer.leave()
        self.ask("GET", LOGIN)
        assert self.bench.network.tried[2:] == ["10.1.0.2:80"]  # the first one rests
        self.bench.peer.answer(200)
        self.bench.peer.leave()
        self.bench.network.down.clear()
        self.bench.pass_time(2)
        self.ask("GET", LOGIN)
        assert self.bench.peer.address == "10.1.0.1:80"

    def test_who_takes_requests_and_does_not_answer_rests_longer_and_longer(self):
        self.bench = Bench({"auth": ["10.1.0.1:80", "10.1.0.2:80"]}, first_byte_seconds=5)
        upstream = self.bench.upstreams["auth"]
        for rest in (1, 2, 5, 10, 30, 30):
            for address in upstream.addresses:
                address.turn = int(address.host[-1])  # the first one's turn
            client = self.bench.connect()
            client.request("GET", LOGIN)
            assert self.bench.peer.address == "10.1.0.1:80"
            self.bench.pass_time(5)
            assert client.reply().status == 504
            self.bench.peer.leave()
            began = upstream.addresses[0].rests_until - rest
            assert began <= self.bench.clock.seconds() <= began + 1
            client.request("GET", LOGIN)
            assert upstream.addresses[0].in_flight == 0  # it rests
            client.leave()
            self.bench.pass_time(rest)
        client = self.bench.connect()
        upstream.addresses[1].turn = 10_000
        client.request("GET", LOGIN)
        self.bench.peer.answer(200)
        assert self.bench.peer.address == "10.1.0.1:80"
        assert upstream.addresses[0].failures == 0

    def test_who_breaks_off_rests(self):
        self.bench = Bench({"auth": ["10.1.0.1:80", "10.1.0.2:80"]})
        self.client = self.bench.client
        self.ask("POST", LOGIN, body=b"{}")
        self.bench.peer.leave()
        self.assertProblem(502, "bad_gateway")
        assert self.bench.upstreams["auth"].resting == 1

    def test_idle_instances_take_turns(self):
        self.bench = Bench({"auth": ["10.1.0.1:80", "10.1.0.2:80"]})
        self.client = self.bench.client
        seen = []
        for _ in range(4):
            self.ask("GET", LOGIN)
            [busy] = [a for a in self.bench.upstreams["auth"].addresses if a.in_flight]
            seen.append(busy.host)
            [peer] = [p for p in self.bench.network.peers if p.address == f"{busy.host}:80"]
            peer.answer(200)
            self.client.replies()
        assert seen == ["10.1.0.1", "10.1.0.2"] * 2

    def test_requests_go_where_fewest_are(self):
        self.bench = Bench({"auth": ["10.1.0.1:80", "10.1.0.2:80"]})
        clients = [self.bench.connect() for _ in range(6)]
        for client in clients:
            client.request("GET", LOGIN)
        used = [peer.address for peer in self.bench.network.peers]
        assert used.count("10.1.0.1:80") == used.count("10.1.0.2:80") == 3

    def test_too_many_at_once(self):
        self.bench = Bench(max_connections=2)
        clients = [self.bench.connect() for _ in range(3)]
        for client in clients:
            client.request("GET", LOGIN)
        reply = clients[2].reply()
        assert (reply.status, reply.code, reply.headers["retry-after"]) == (503, "unavailable", "1")

    # Flow.

    def test_a_slow_upstream_holds_the_client_back(self):
        self.ask("POST", FILES, "Content-Length: 1000000")
        self.client.send(b"x" * 1000)
        flow = self.bench.peer.transport.producer
        flow.pauseProducing()
        assert self.client.transport.producerState == "paused"
        self.bench.pass_time(50)
        assert not self.client.closed
        flow.resumeProducing()
        assert self.client.transport.producerState == "producing"

    def test_an_upstream_that_stops_reading_is_given_up(self):
        self.ask("POST", FILES, "Content-Length: 1000000")
        self.client.send(b"x" * 1000)
        self.bench.peer.transport.producer.pauseProducing()
        self.bench.pass_time(62)
        self.assertProblem(504, "gateway_timeout")

    def test_a_slow_client_holds_the_upstream_back(self):
        self.ask("GET", FILES + "/x")
        self.bench.peer.send(OK % 1_000_000 + b"x" * 1000)
        self.client.channel.pauseProducing()
        assert self.bench.peer.transport.producerState == "paused"
        self.client.channel.resumeProducing()
        assert self.bench.peer.transport.producerState == "producing"
        self.bench.peer.send(b"x" * 999_000)
        assert len(self.client.reply().body) == 1_000_000

    def test_a_client_that_stops_reading_is_given_up(self):
        self.ask("GET", FILES + "/x")
        self.bench.peer.send(OK % 1_000_000 + b"x" * 1000)
        self.client.channel.pauseProducing()
        self.bench.pass_time(63)
        assert self.client.transport.disconnected
        self.client.leave()
        assert self.bench.peer.transport.disconnected

    # Health.

    def ready(self):
        self.ask("GET", "/ready")
        for peer in self.bench.network.peers:
            if b"/ready" in peer.got:
                peer.answer(503 if peer.address == "10.0.0.2:80" else 200)
        return self.client.reply()

    def test_ready(self):
        self.bench.network.down.add("10.0.0.3:80")
        reply = self.ready()
        assert reply.status == 503
        assert reply.json == {
            "ready": False,
            "checks": {"auth": "ready", "message": "not ready", "file": "unreachable", "key": "ready"},
        }
        self.ask("GET", "/ready")
        assert self.client.reply().status == 503  # remembered for a second
        self.bench.pass_time(3)

    def test_ready_does_not_wait_for_ever(self):
        self.bench.network.silent.add("10.0.0.3:80")
        self.ask("GET", "/ready")
        for peer in self.bench.network.peers[1:]:
            peer.answer(200)
        assert self.client.replies() == []
        self.bench.pass_time(3)
        reply = self.client.reply()
        assert reply.json["checks"] == {
            "auth": "no answer within 2 s",
            "message": "ready",
            "file": "no answer within 2 s",
            "key": "ready",
        }

    def test_ready_takes_one_instance(self):
        self.bench = Bench({"auth": [f"10.1.0.{number}:80" for number in range(1, 5)]})
        self.client = self.bench.client
        self.bench.network.down.add("10.1.0.1:80")
        self.bench.network.silent.add("10.1.0.4:80")
        self.ask("GET", "/ready")
        silent = None
        for peer in self.bench.network.peers:
            if peer.address == "10.1.0.2:80":
                silent = peer
            else:
                peer.answer(200)
        assert self.client.reply().json["ready"] is True
        assert silent.closed
        silent.leave()  # which was not asked to the end: it is none of the worse for that
        assert self.bench.upstreams["auth"].resting == 1

    def test_all_who_ask_for_ready_at_once_wait_for_one_answer(self):
        clients = [self.bench.connect() for _ in range(5)]
        for client in clients:
            client.request("GET", "/ready")
        assert len(self.bench.network.peers) == 4
        for peer in self.bench.network.peers:
            peer.answer(200)
        assert [client.reply().status for client in clients] == [200] * 5

    def test_draining(self):
        self.bench.gateway.drain()
        self.ask("GET", "/ready")
        for peer in self.bench.network.peers:
            peer.answer(200)
        assert self.client.reply().status == 503

    def test_stop(self):
        self.ask("GET", LOGIN)
        stopping = self.bench.gateway.stop()
        with pytest.raises(StopIteration):
            stopping.send(None)
        assert self.bench.peer.transport.disconnected
        assert self.bench.clock.getDelayedCalls() == [] or self.client.closed is False


def test_upstream_addresses_are_checked():
    for text in ("", "host", "host:", ":80", "host:x", "host:0", "host:70000", "http://host:80", "https://"):
        with pytest.raises(ValueError, match=r"HOST:PORT|no address"):
            Bench({"auth": [text]})


class NamesCase(SynchronousTestCase):
    """Names stand for all their addresses, as they are today."""

    def setUp(self):
        self.answers = []
        self.asked = []
        self.bench = Bench({"auth": ["auth.internal:80", "10.9.0.1:80"]}, resolve=self.resolve)
        self.client = self.bench.client
        self.upstream = self.bench.upstreams["auth"]

    def resolve(self, name):
        self.asked.append(name)
        if self.answers and isinstance(self.answers[0], Deferred):
            return self.answers.pop(0)
        return succeed(self.answers.pop(0)) if self.answers else fail(OSError("no such name"))

    @property
    def hosts(self):
        return [address.host for address in self.upstream.addresses]

    def ask(self):
        self.bench.request("GET", LOGIN)
        busy = [address for address in self.upstream.addresses if address.in_flight]
        if busy:
            [connection] = busy[0].connections
            [peer] = [p for p in self.bench.network.peers if p.transport is connection.transport]
            peer.answer(200)
        return self.client.reply().status

    def test_addresses_come_and_go(self):
        self.answers = [["10.1.0.1", "10.1.0.2"]]
        assert self.ask() == 200
        assert self.hosts == ["10.1.0.1", "10.1.0.2", "10.9.0.1"]
        for _ in range(5):
            assert self.ask() == 200
        assert self.asked == ["auth.internal"]
        kept = self.upstream.addresses[1]
        gone = [peer for peer in self.bench.network.peers if peer.address == "10.1.0.1:80"]
        self.answers = [["10.1.0.2", "10.1.0.3"]]
        self.bench.pass_time(5)
        assert self.ask() == 200
        assert self.hosts == ["10.1.0.2", "10.1.0.3", "10.9.0.1"]
        assert self.upstream.addresses[0] is kept
        assert all(peer.closed for peer in gone)

    def test_a_request_under_way_outlives_its_address(self):
        self.answers = [["10.1.0.1"]]
        self.bench.request("GET", LOGIN)
        peer = self.bench.peer
        assert peer.address == "10.1.0.1:80"
        self.answers = [["10.1.0.2"]]
        self.bench.pass_time(6)
        other = self.bench.connect()
        other.request("GET", LOGIN)
        assert "10.1.0.1" not in self.hosts
        assert self.upstream.in_flight == 2
        peer.answer(200, b"still")
        assert self.client.reply().body == b"still"
        assert peer.closed

    def test_a_name_that_is_lost_keeps_its_addresses(self):
        self.answers = [["10.1.0.1"]]
        assert self.ask() == 200
        self.bench.pass_time(6)
        assert self.ask() == 200
        assert len(self.asked) == 2
        assert self.hosts == ["10.1.0.1", "10.9.0.1"]

    def test_requests_wait_for_the_first_addresses(self):
        self.bench = Bench({"auth": ["auth.internal:80"]}, resolve=self.resolve)
        self.client, self.upstream = self.bench.client, self.bench.upstreams["auth"]
        found = Deferred()
        self.answers = [found]
        other = self.bench.connect()
        for client in (self.client, other):
            client.request("GET", LOGIN)
        assert self.bench.network.peers == []
        assert self.asked == ["auth.internal"]
        found.callback(["10.1.0.1"])
        for peer, client in zip(self.bench.network.peers, (self.client, other), strict=True):
            peer.answer(200)
            assert client.reply().status == 200

    def test_no_address_at_all(self):
        self.bench = Bench({"auth": ["auth.internal:80"]}, resolve=self.resolve)
        self.client, self.upstream = self.bench.client, self.bench.upstreams["auth"]
        for _ in range(3):
            assert self.ask() == 502
        assert len(self.asked) == 1  # not asked again at once
        self.answers = [["10.1.0.1"]]
        self.bench.pass_time(1)
        assert self.ask() == 200

    def test_a_resolver_that_hangs(self):
        self.bench = Bench({"auth": ["auth.internal:80"]}, resolve=self.resolve)
        self.client = self.bench.client
        self.answers = [Deferred()]
        self.bench.request("GET", LOGIN)
        self.bench.pass_time(6)
        assert self.client.reply().status == 502
