"""Deadlines, pipelining, and how a connection ends."""

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.read_pace import READS, SECONDS
from tests.core.http.http_app import Endpoints, router
from tests.core.http.http_transport import GET, HOST, POST, Connection, Logged, site


class ConnectionCase(SynchronousTestCase):
    def setUp(self):
        self.endpoints = Endpoints()
        self.logged = Logged(self)
        self.site = site(router(self.endpoints))
        self.client = Connection(self.site)

    def pass_time(self, seconds):
        for _ in range(int(seconds)):
            self.site.clock.advance(1)

    # Order.

    def test_pipelined_requests_are_answered_in_order(self):
        self.client.send(
            GET.replace(b"page", b"slow")
            + HOST
            + b"\r\n"
            + GET.replace(b"page", b"page?limit=3")
            + HOST
            + b"\r\n"
            + POST
            + b'Content-Length: 7\r\n\r\n{"a":9}'
            + GET.replace(b"page", b"page?limit=4")
            + HOST
            + b"Connection: close\r\n\r\n"
            + GET
            + HOST
            + b"\r\n"
        )
        assert self.client.replies() == []
        self.endpoints.waiting[0].callback(1)
        replies = self.client.replies()
        assert [reply.json["total"] for reply in replies] == [1, 3, 9, 4]
        assert self.client.closed

    def test_a_flood_behind_a_slow_request_is_held_back(self):
        self.client.request("GET", "/api/v1/slow")
        for _ in range(5):
            self.client.send((GET + HOST + b"\r\n") * 100)
        assert self.client.transport.producerState == "paused"
        self.endpoints.waiting[0].callback(1)
        assert len(self.client.replies()) == 501
        assert self.client.transport.producerState == "producing"

    def test_bytes_one_by_one(self):
        for byte in GET + HOST + b"\r\n" + POST + b'Content-Length: 7\r\n\r\n{"a":9}':
            self.client.send(bytes([byte]))
        assert [reply.status for reply in self.client.replies()] == [200, 201]

    def drip(self, data):
        """Send it byte by byte, as fast as it is read; how often it was not for a while."""
        rests = 0
        for byte in data:
            while self.client.transport.producerState != "producing":
                rests += 1
                self.site.clock.advance(SECONDS)
            self.client.send(bytes([byte]))
        return rests

    def test_what_comes_in_crumbs_is_read_now_and_then(self):
        upload = b"POST /api/v1/upload HTTP/1.1\r\n" + HOST + b"Content-Length: 160\r\n\r\n"
        self.client.heads.append("POST")
        assert self.drip(upload) >= len(upload) // READS - 1
        assert self.drip(bytes(160)) >= 160 // READS - 1
        assert self.client.reply().json == {"total": 160}
        self.site.clock.advance(SECONDS)
        self.client.request("GET", "/api/v1/page")
        assert self.client.reply().status == 200

    def test_many_whole_requests_at_once_are_no_crumbs(self):
        for _ in range(10 * READS):
            self.client.request("GET", "/api/v1/page")
            assert self.client.transport.producerState == "producing"
        assert len(self.client.replies()) == 10 * READS

    def test_connection_close_is_honoured_in_any_spelling(self):
        for spelling in ("close", "Close", "keep-alive, close", "te,close"):
            client = Connection(self.site)
            client.request("GET", "/api/v1/page", f"Connection: {spelling}")
            assert client.reply().headers["connection"] == "close"
            assert client.closed

    def test_old_version_closes(self):
        self.client.send(b"GET /api/v1/page HTTP/1.0\r\n\r\n")
        assert self.client.reply().headers["connection"] == "close"
        assert self.client.closed

    # Time.

    def test_a_silent_connection_is_closed(self):
        self.pass_time(29)
        assert not self.client.closed
        self.pass_time(2)
        assert self.client.closed

    def test_a_dripping_head_is_cut_after_30_s(self):
        self.client.send(GET + HOST + b"X-Drip: ")
        for _ in range(29):
            self.client.send(b"x")
            self.pass_time(1)
        assert not self.client.closed
        self.client.send(b"x")
        self.pass_time(2)
        assert self.client.closed

    def test_the_second_head_has_its_own_deadline(self):
        self.client.request("GET", "/api/v1/page")
        self.pass_time(40)
        self.client.send(GET)
        for _ in range(28):
            self.client.send(b"X-A: 1\r\n")
            self.pass_time(1)
        assert not self.client.closed
        self.pass_time(4)
        assert self.client.closed

    def test_an_idle_connection_is_closed_after_its_time(self):
        self.client.request("GET", "/api/v1/page")
        self.pass_time(74)
        assert not self.client.closed
        self.pass_time(3)
        assert self.client.closed

    def test_an_endpoint_may_take_its_time(self):
        self.client.request("GET", "/api/v1/slow")
        self.pass_time(600)
        assert not self.client.closed

    def test_a_stuck_body_is_cut(self):
        self.client.request("POST", "/api/v1/upload", "Content-Length: 100")
        self.client.send(b"x")
        self.pass_time(29)
        assert not self.client.closed
        self.pass_time(2)
        assert self.client.closed

    def test_a_dripping_body_is_cut(self):
        self.client.request("POST", "/api/v1/upload", "Content-Length: 100000")
        for _ in range(28):
            self.client.send(b"x")
            self.pass_time(1)
        assert not self.client.closed
        for _ in range(4):
            self.client.send(b"x")
            self.pass_time(1)
        assert self.client.closed

    def test_a_steady_body_is_not_cut(self):
        self.client.request("POST", "/api/v1/upload", "Content-Length: 100000")
        for _ in range(100):
            self.client.send(b"x" * 1000)
            self.pass_time(1)
        assert self.client.reply().json == {"total": 100000}

    def test_a_client_that_does_not_read_is_cut(self):
        self.client.request("GET", "/api/v1/download")
        self.client.channel.pauseProducing()
        self.pass_time(58)
        assert not self.client.closed
        self.pass_time(4)
        assert self.client.transport.disconnected

    def test_closing_does_not_wait_for_ever(self):
        self.client.request("GET", "/api/v1/page", "Connection: close")
        assert self.client.transport.disconnecting
        self.pass_time(62)
        self.client.leave()
        self.pass_time(2)
        assert self.site.connections == 0
        assert self.site.clock.getDelayedCalls() == []

    def test_after_a_refusal_the_rest_is_read_for_a_moment(self):
        self.client.send(b"BAD\r\n" + b"x" * 1_000_000)
        assert self.client.reply().status == 400
        assert self.client.transport.half_closed
        assert not self.client.transport.disconnecting
        self.client.send(b"x" * 1_000_000)
        self.pass_time(3)
        assert self.client.transport.disconnecting

    # Bounds and the end.

    def test_no_more_connections_than_allowed(self):
        full = site(router(self.endpoints), max_connections=2)
        one, _two = Connection(full), Connection(full)
        assert full.buildProtocol(None) is None
        one.leave()
        assert full.buildProtocol(None) is not None

    def test_drain_closes_idle_connections_and_lets_others_finish(self):
        busy = Connection(self.site)
        busy.request("GET", "/api/v1/slow")
        started = Connection(self.site)
        started.send(GET)
        used = Connection(self.site)
        used.request("GET", "/api/v1/page")
        used.reply()
        self.site.drain()
        empty = Deferred.fromCoroutine(self.site.empty())
        assert used.closed
        assert not busy.closed
        assert self.site.buildProtocol(None) is None
        self.endpoints.waiting[0].callback(5)
        assert busy.reply().json == {"total": 5}
        assert busy.closed
        # Those whose request is on its way are answered, for a while.
        started.send(HOST + b"\r\n")
        assert started.reply().headers["connection"] == "close"
        assert not self.client.closed
        self.pass_time(2)
        assert self.client.closed
        for one in (used, busy, started):
            one.leave()
        self.assertNoResult(empty)
        self.client.leave()
        self.successResultOf(empty)

    def test_connections_by_address(self):
        bounded = site(router(self.endpoints), max_by_address=2, trusted_proxies=["10.0.0.0/8"])

        def connect(host):
            return bounded.buildProtocol(IPv4Address("TCP", host, 1))

        one = Connection(bounded, "192.0.2.1")
        assert connect("192.0.2.1") is not None
        assert connect("192.0.2.1") is None
        assert connect("::ffff:192.0.2.1") is None
        assert connect("192.0.2.2") is not None
        one.leave()
        assert connect("192.0.2.1") is not None
        assert connect("2001:db8::1") is not None
        assert connect("2001:db8::2:1") is not None
        assert connect("2001:db8::3:1") is None
        assert all(connect("10.0.0.1") for _ in range(5))
        assert all(bounded.buildProtocol(None) for _ in range(5))

    def test_a_websocket_counts_by_address_until_it_ends(self):
        from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol

        app = router(self.endpoints)
        factory = WebSocketServerFactory()
        factory.protocol = WebSocketServerProtocol
        app.websocket("/ws", factory)
        bounded = site(app, max_by_address=1)
        client = Connection(bounded)
        client.transport.setTcpNoDelay = lambda enabled: None
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        client.request(
            "GET", "/ws", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", key
        )
        assert b" 101 " in client.transport.value()
        assert bounded.connections == 0
        assert bounded.buildProtocol(client.transport.getPeer()) is None
        client.transport.protocol.connectionLost(Failure(ConnectionDone()))
        assert bounded.buildProtocol(client.transport.getPeer()) is not None

    def test_an_answer_that_comes_after_the_client_left(self):
        self.client.request("GET", "/api/v1/slow")
        self.client.leave()
        self.endpoints.waiting[0].callback(5)
        [event] = self.logged.requests()
        assert event["status"] == 499
        assert self.client.replies() == []
