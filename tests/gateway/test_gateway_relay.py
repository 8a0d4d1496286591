"""WebSockets through the gateway: who may open one, and bytes in both directions."""

from hypothesis import given
from hypothesis import strategies as some
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.http.router import Router
from messenger.core.read_pace import READS, SECONDS
from messenger.gateway import upstream
from messenger.gateway.app import Mount
from messenger.gateway.frames import GOING_AWAY, FrameEnds
from tests.core.http.http_transport import Logged
from tests.gateway.gateway_transport import Bench

HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nServer: x\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: messenger.v1\r\n\r\n"
)


class RelayCase(SynchronousTestCase):
    def setUp(self):
        self.logged = Logged(self)
        self.bench = Bench(origins=["https://app.example"])
        self.client = self.bench.client

    def open(self, *headers, path="/ws"):
        self.bench.request("GET", path, *HANDSHAKE, *headers)

    def connect(self):
        self.open()
        self.bench.peer.got
        self.bench.peer.send(ACCEPTED)
        return self.client.reply_101()

    @property
    def client_side(self):
        return self.client.transport.protocol

    def test_handshake_crosses(self):
        self.open(
            "Authorization: Bearer x",
            "Sec-WebSocket-Protocol: messenger.v1, bearer.y",
            "Sec-WebSocket-Extensions: permessage-deflate",
            "X-Forwarded-For: 6.6.6.6",
            path="/ws?ticket=abc",
        )
        line, headers, rest = self.bench.peer.head()
        assert line == "GET /ws?ticket=abc HTTP/1.1"
        assert rest == b""
        assert headers["upgrade"] == ["websocket"]
        assert headers["connection"] == ["Upgrade"]
        assert headers["sec-websocket-key"] == ["dGhlIHNhbXBsZSBub25jZQ=="]
        assert headers["sec-websocket-protocol"] == ["messenger.v1, bearer.y"]
        assert headers["authorization"] == ["Bearer x"]
        assert headers["x-forwarded-for"] == ["192.0.2.7"]
        assert self.client.replies() == []
        self.bench.peer.send(ACCEPTED)
        reply = self.client.reply_101()
        assert reply.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert reply.headers["sec-websocket-protocol"] == "messenger.v1"
        assert reply.headers["x-request-id"] == headers["x-request-id"][0]
        assert "server" not in reply.headers
        [event] = self.logged.requests()
        assert (event["route"], event["status"]) == ("/ws", 101)
        assert "abc" not in str(event)

    def test_bytes_in_both_directions(self):
        self.connect()
        self.client_side.dataReceived(b"from the client")
        assert self.bench.peer.got == b"from the client"
        self.bench.peer.send(b"from the service")
        assert self.client.transport.value() == b"from the service"
        assert self.bench.gateway.relay.open == 1

    def test_bytes_that_come_with_the_handshake(self):
        self.open()
        self.client.send(b"early")
        self.bench.peer.got
        self.bench.peer.send(ACCEPTED + b"hello")
        assert self.bench.peer.got == b"early"
        assert self.client.transport.value().endswith(b"\r\n\r\nhello")

    def test_a_socket_is_not_subject_to_deadlines(self):
        self.connect()
        self.bench.pass_time(1000)
        assert not self.client.closed
        assert not self.bench.peer.closed

    def test_each_side_holds_the_other_back(self):
        self.connect()
        up, down = self.bench.peer.transport, self.client.transport
        up.producer.pauseProducing()
        assert down.producerState == "paused"
        up.producer.resumeProducing()
        assert down.producerState == "producing"
        down.producer.pauseProducing()
        assert up.producerState == "paused"

    def test_a_client_that_writes_very_little_very_often_is_read_now_and_then(self):
        self.connect()
        up, down = self.bench.peer.transport, self.client.transport
        for _ in range(READS):
            assert down.producerState == "producing"
            self.client_side.dataReceived(b"x")
        assert self.bench.peer.got == b"x" * READS
        assert down.producerState == "paused"
        self.bench.clock.advance(SECONDS)
        assert down.producerState == "producing"
        for _ in range(READS):
            self.client_side.dataReceived(b"x")
        up.producer.pauseProducing()
        self.bench.clock.advance(SECONDS)
        assert down.producerState == "paused"  # for the service does not read
        up.producer.resumeProducing()
        assert down.producerState == "producing"

    def test_the_client_s_end_ends_the_service_s(self):
        self.connect()
        self.client_side.connectionLost(None)
        assert self.bench.peer.transport.disconnecting
        self.bench.pass_time(9)
        assert not self.bench.peer.transport.disconnected
        self.bench.pass_time(2)
        assert self.bench.peer.transport.disconnected
        self.bench.peer.leave()
        assert self.bench.gateway.relay.open == 0

    def test_the_service_s_end_ends_the_client_s(self):
        self.connect()
        self.bench.peer.leave()
        assert self.client.transport.disconnecting
        self.client_side.connectionLost(None)
        self.bench.pass_time(20)
        assert not self.client.transport.disconnected
        assert self.bench.gateway.relay.open == 0

    def test_refusals_of_the_service_are_ordinary_answers(self):
        self.open()
        self.bench.peer.answer(401, b'{"code":"unauthorized"}', "Content-Type: application/problem+json")
        reply = self.client.reply()
        assert (reply.status, reply.code) == (401, "unauthorized")
        assert not self.client.closed

    def test_unreachable(self):
        self.bench.network.down.add("10.0.0.2:80")
        self.open()
        assert self.client.reply().status == 502

    def test_no_answer(self):
        self.open()
        self.bench.pass_time(32)
        assert self.client.reply().status == 504

    def test_a_client_that_leaves_meanwhile(self):
        self.open()
        self.client.leave()
        assert self.bench.peer.transport.disconnected
        self.bench.peer.send(ACCEPTED)
        assert self.bench.gateway.relay.open == 0

    def test_an_upgrade_to_something_else(self):
        self.open()
        self.bench.peer.send(b"HTTP/1.1 101 Up\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
        assert self.client.reply().status == 502

    def test_kept_connections_are_not_used_for_sockets(self):
        self.bench.request("GET", "/api/v1/blocks")
        self.bench.peer.answer(200)
        self.client.replies()
        self.connect()
        assert len(self.bench.network.peers) == 2

    def test_sockets_go_where_fewest_are(self):
        self.bench = Bench({"message": ["10.1.0.1:80", "10.1.0.2:80"]})
        seen = []
        for _ in range(4):
            self.client = self.bench.client = self.bench.connect()
            self.connect()
            seen.append(self.bench.peer.address)
        assert sorted(seen) == ["10.1.0.1:80"] * 2 + ["10.1.0.2:80"] * 2
        first = self.bench.upstreams["message"].addresses[0]
        assert first.sockets == 2
        for peer in self.bench.network.peers:
            peer.leave()
        assert first.sockets == 0

    def test_a_crowd_that_waits_for_its_sockets_leaves_room_for_requests(self):
        self.bench = Bench(max_connections=1)
        crowd = [self.bench.connect() for _ in range(5)]
        for client in crowd:
            client.request("GET", "/ws", *HANDSHAKE)
        assert len(self.bench.network.peers) == len(crowd)
        asking = self.bench.connect()
        asking.request("GET", "/api/v1/conversations")
        self.bench.peer.answer(200)
        assert asking.reply().status == 200

    def test_sockets_that_are_being_opened_are_counted_until_they_are_open_or_gone(self):
        address = self.bench.upstreams["message"].addresses[0]
        clients = [self.bench.connect() for _ in range(4)]
        for client in clients:
            client.request("GET", "/ws", *HANDSHAKE)
        assert (address.opening, address.requests) == (4, 0)
        accepted, refused, broken, left = self.bench.network.peers
        accepted.send(ACCEPTED)
        refused.answer(503)
        broken.leave()
        clients[3].leave()
        left.leave()
        assert (address.opening, address.requests) == (0, 1)  # what answered 503 is kept
        refused.leave()
        self.bench.network.down.add("10.0.0.2:80")
        self.open()
        assert self.client.reply().status == 502
        assert (address.opening, address.requests) == (0, 0)

    def test_a_socket_is_counted_no_more_where_its_service_is_never_reached(self):
        address = self.bench.upstreams["message"].addresses[0]
        self.bench.network.silent.add("10.0.0.2:80")
        self.open()
        assert (address.opening, address.requests) == (1, 0)
        self.bench.pass_time(6)
        assert self.client.reply().status == 502
        assert (address.opening, address.requests) == (0, 0)

    def test_too_many_sockets_at_a_time(self):
        self.patch(upstream, "MAX_OPENING", 2)
        clients = [self.bench.connect() for _ in range(3)]
        for client in clients:
            client.request("GET", "/ws", *HANDSHAKE)
        reply = clients[2].reply()
        assert (reply.status, reply.code) == (503, "unavailable")

    def test_origins(self):
        for origin, status in (
            ("https://app.example", None),
            ("http://example.org", None),
            ("https://example.org", None),
            ("https://evil.example", 403),
            ("null", 403),
            ("", 403),
            ("http://example.org.evil", 403),
        ):
            self.bench = Bench(origins=["https://app.example"])
            self.bench.request("GET", "/ws", *HANDSHAKE, f"Origin: {origin}")
            if status is None:
                assert self.bench.client.replies() == []
                assert len(self.bench.network.peers) == 1
            else:
                assert self.bench.client.reply().status == status
                assert self.bench.network.tried == []

    def test_malformed_handshakes_reach_nobody(self):
        for headers in ((), HANDSHAKE[:3], HANDSHAKE[1:], ("Upgrade: h2c", *HANDSHAKE[1:])):
            self.bench.request("GET", "/ws", *headers)
            assert self.client.reply().status in (400, 426)
        assert self.bench.network.tried == []

    def stop(self):
        return Deferred.fromCoroutine(self.bench.gateway.stop())

    def test_stop_says_so_and_lets_the_service_end(self):
        self.connect()
        self.bench.peer.send(b"\x81\x02hi")
        self.client.transport.clear()
        stopping = self.stop()
        assert self.client.transport.value() == GOING_AWAY
        self.bench.peer.send(b"\x81\x04late")
        self.bench.peer.got
        self.client_side.dataReceived(b"\x88\x82\0\0\0\0\x03\xe9")
        assert self.bench.peer.got == b"\x88\x82\0\0\0\0\x03\xe9"
        assert self.client.transport.value() == GOING_AWAY
        self.assertNoResult(stopping)
        self.bench.peer.leave()
        assert self.client.transport.disconnecting
        self.client_side.connectionLost(None)
        self.successResultOf(stopping)

    def test_stop_waits_for_the_end_of_a_frame(self):
        long = b"\x82\x7e\x01\x00" + b"x" * 256
        for cut in (1, 2, 3, 4, 5, 200):
            self.bench = Bench()
            self.client = self.bench.client
            self.connect()
            self.bench.peer.send(b"\x81\x02hi" + long[:cut])
            self.stop()
            self.bench.peer.send(long[cut:250])
            self.bench.peer.send(long[250:] + b"\x81\x04late")
            assert self.client.transport.value() == b"\x81\x02hi" + long + GOING_AWAY

    def test_nothing_follows_a_close_frame(self):
        for close in (b"\x88\x00", b"\x88\x02\x03\xe8"):
            for before in (True, False):
                self.bench = Bench()
                self.client = self.bench.client
                self.connect()
                if before:
                    self.bench.peer.send(close)
                    self.stop()
                else:
                    self.bench.peer.send(close[:1])
                    self.stop()
                    self.bench.peer.send(close[1:] + b"?")
                assert self.client.transport.value() == close

    def test_frames_that_came_with_the_handshake_count(self):
        self.open()
        self.bench.peer.got
        self.bench.peer.send(ACCEPTED + b"\x81\x05he")
        self.client.transport.clear()
        self.stop()
        self.bench.peer.send(b"llo")
        assert self.client.transport.value() == b"llo" + GOING_AWAY

    def test_stop_does_not_wait_for_ever(self):
        self.connect()
        stopping = self.stop()
        self.bench.pass_time(4)
        self.successResultOf(stopping)
        assert self.client.transport.disconnected
        assert self.bench.peer.transport.disconnected


class MountCase(SynchronousTestCase):
    """A service in the same process answers the request itself."""

    def setUp(self):
        from messenger.core.http.routing import route
        from tests.core.http.http_app import Authenticator, Endpoints

        class Blocks:
            @route("GET", "/blocks", answer=dict)
            async def blocks(self, call):
                """Blocked people."""
                return {"items": [call.identity.user_id]}

        self.ready = True

        async def check():
            if not self.ready:
                raise ConnectionError

        router = Router([Blocks(), Endpoints()], authenticator=Authenticator())
        self.bench = Bench(services={"message": Mount(router, check)}, origins=["https://app.example"])
        self.client = self.bench.client

    def test_dispatch(self):
        self.bench.request(
            "GET", "/api/v1/blocks", "Authorization: Bearer good", "Origin: https://app.example"
        )
        reply = self.client.reply()
        assert reply.json == {"items": ["alice-id"]}
        assert reply.headers["access-control-allow-origin"] == "https://app.example"
        assert self.bench.network.tried == []

    def test_what_the_table_does_not_name_is_not_reached(self):
        self.bench.request("GET", "/api/v1/page")
        assert self.client.reply().status == 404

    def test_ready(self):
        self.ready = False
        self.bench.request("GET", "/ready")
        for peer in self.bench.network.peers:
            peer.answer(200)
        assert self.client.reply().json["checks"]["message"] == "ConnectionError"


def frame(length, masked):
    size = length if length < 126 else 126 if length < 65_536 else 127
    head = bytes([0x82, (0x80 if masked else 0) | size])
    head += b"" if length < 126 else length.to_bytes(2 if length < 65_536 else 8, "big")
    return head + (b"mask" if masked else b"") + b"\x88" * length


LENGTHS = some.sampled_from([0, 1, 125, 126, 300, 65_535, 65_536])


@given(
    some.lists(some.tuples(LENGTHS, some.booleans()), max_size=6),
    some.lists(some.integers(1, 70_000), max_size=20),
)
def test_frame_ends_are_found_however_the_bytes_come(frames, cuts):
    raw = [frame(*one) for one in frames]
    ends = {0}
    for one in raw:
        ends.add(max(ends) + len(one))
    data = b"".join(raw)
    follower, at = FrameEnds(), 0
    for cut in [*cuts, len(data)]:
        piece = data[at : at + cut]
        follower.follow(piece)
        at += len(piece)
        assert follower.between == (at in ends)
    assert not follower.closed
