"""What crosses the gateway, how failures are told, and back-pressure both ways."""

import pytest
from gateway_wire import Bench
from http_wire import Logged
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

LOGIN = "/api/v1/auth/login"
FILES = "/api/v1/files"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


class ProxyCase(SynchronousTestCase):
    def setUp(self):
        self.logged = Logged(self)
        self.bench = Bench()
        self.client = self.bench.client

    def ask(self, *arguments, **named):
        self.bench.request(*arguments, **named)

    # What crosses.

    def test_request_and_answer(self):
        self.ask(
            "POST", LOGIN + "?a=%2F&b", "Content-Type: application/json", "X-Request-ID: r-1", body=b"{}"
        )
        line, headers, body = self.bench.peer.head()
        assert line == f"POST {LOGIN}?a=%2F&b HTTP/1.1"
        assert body == b"{}"
        (traceparent,) = headers.pop("traceparent")
        assert headers == {
            "content-type": ["application/json"],
            "host": ["example.org"],
            "x-request-id": ["r-1"],
            "x-forwarded-for": ["192.0.2.7"],
            "x-forwarded-proto": ["http"],
            "x-forwarded-host": ["example.org"],
            "content-length": ["2"],
        }
        self.bench.peer.answer(201, b'{"a":1}', "Content-Type: application/json", "Server: x", "X-Own: y")
        reply = self.client.reply()
        assert (reply.status, reply.body) == (201, b'{"a":1}')
        assert reply.headers["x-request-id"] == "r-1"
        assert reply.headers["x-own"] == "y"
        assert reply.headers["cache-control"] == "no-store"
        assert "server" not in reply.headers
        assert "connection" not in reply.headers
        [event] = self.logged.requests()
        assert (event["route"], event["status"], event["request_id"]) == ("/api/v1/auth", 201, "r-1")
        assert traceparent.split("-")[1] == event["trace_id"]

    def test_a_trace_goes_on_and_a_malformed_one_begins_anew(self):
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        self.ask("GET", LOGIN, f"traceparent: 00-{trace}-00f067aa0ba902b7-01", "tracestate: a=b")
        _, headers, _ = self.bench.peer.head()
        version, passed, span, flags = headers["traceparent"][0].split("-")
        assert (version, passed, flags) == ("00", trace, "01")
        assert span != "00f067aa0ba902b7"
        assert headers["tracestate"] == ["a=b"]
        self.bench.peer.answer(200, b"")
        self.client.reply()
        [event] = self.logged.requests()
        assert event["trace_id"] == trace
        self.ask("GET", LOGIN, f"traceparent: 00-{trace}-0-01", "tracestate: a=b")
        _, headers, _ = self.bench.peer.head()
        assert trace not in headers["traceparent"][0]
        assert "tracestate" not in headers

    def test_hop_by_hop_headers_stay(self):
        self.ask(
            "GET",
            LOGIN,
            "Connection: X-Secret, keep-alive, X-Request-ID, Authorization-Extra",
            "X-Secret: 1",
            "Keep-Alive: 5",
            "TE: trailers",
            "Trailer: X",
            "Upgrade: h2c",
            "Proxy-Authorization: x",
            "Proxy-Connection: x",
            "HTTP2-Settings: x",
            "X-Request-ID: kept",
            "Authorization: Bearer x",
        )
        _, headers, _ = self.bench.peer.head()
        assert set(headers) == {
            "host",
            "x-request-id",
            "traceparent",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-host",
            "authorization",
        }
        assert headers["x-request-id"] == ["kept"]
        self.bench.peer.answer(
            200, b"", "Connection: X-Hop", "X-Hop: 1", "Keep-Alive: 1", "Upgrade: h2c", "ETag: a"
        )
        reply = self.client.reply()
        assert reply.headers["etag"] == "a"
        assert not {"x-hop", "keep-alive", "upgrade", "connection"} & set(reply.headers)

    def test_what_the_gateway_says_can_not_be_said_by_a_client(self):
        self.ask(
            "GET",
            LOGIN,
            "X-Forwarded-For: 6.6.6.6",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Host: evil",
            "X-Forwarded-Port: 1",
            "Forwarded: for=6.6.6.6",
            "X-Real-IP: 6.6.6.6",
            "X_Forwarded_For: 6.6.6.6",
            "X-Request-ID: not good",
        )
        _, headers, _ = self.bench.peer.head()
        assert headers["x-forwarded-for"] == ["192.0.2.7"]
        assert headers["x-forwarded-proto"] == ["http"]
        assert headers["x-forwarded-host"] == ["example.org"]
        assert not {"forwarded", "x-real-ip", "x_forwarded_for", "x-forwarded-port"} & set(headers)
        assert headers["x-request-id"] != ["not good"]

    def test_a_trusted_proxy_in_front_is_heard(self):
        self.bench = Bench(trusted=["192.0.2.0/24"])
        self.ask(
            "GET",
            LOGIN,
            "X-Forwarded-For: 198.51.100.4",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Host: chat.example",
        )
        _, headers, _ = self.bench.peer.head()
        assert headers["x-forwarded-for"] == ["198.51.100.4"]
        assert headers["x-forwarded-proto"] == ["https"]
        assert headers["x-forwarded-host"] == ["chat.example"]

    def test_nonsense_of_a_trusted_proxy_is_not(self):
        self.bench = Bench(trusted=["192.0.2.0/24"])
        nonsense = ("X-Forwarded-For: unknown", "X-Forwarded-Proto: gopher", "X-Forwarded-Host: a/b c")
        self.ask("GET", LOGIN, *nonsense, "X-Forwarded-Port: 1", "Forwarded: for=6.6.6.6")
        _, headers, _ = self.bench.peer.head()
        assert headers["x-forwarded-for"] == ["192.0.2.7"]
        assert headers["x-forwarded-proto"] == ["http"]
        assert headers["x-forwarded-host"] == ["example.org"]
        assert "forwarded" not in headers
        assert "x-forwarded-port" not in headers

    def test_repeated_headers_cross_repeated(self):
        self.ask("GET", LOGIN, "X-A: 1", "X-A: 2")
        assert self.bench.peer.head()[1]["x-a"] == ["1", "2"]
        self.bench.peer.answer(200, b"", "Set-Cookie: a", "Set-Cookie: b")
        assert self.client.reply().headers["set-cookie"] == "a, b"

    def test_head_and_no_content(self):
        self.ask("HEAD", FILES + "/x")
        self.bench.peer.answer(200, b"")
        self.client.replies()
        self.ask("HEAD", FILES + "/x")
        self.bench.peer.send(OK % 999)
        assert self.client.reply().headers["content-length"] == "999"
        self.ask("GET", FILES + "/x")
        self.bench.peer.send(b"HTTP/1.1 204 No\r\n\r\n")
        assert self.client.reply().status == 204
        self.ask("GET", FILES + "/x")
        self.bench.peer.send(b"HTTP/1.1 304 No\r\nETag: x\r\nContent-Length: 5\r\n\r\n")
        assert self.client.reply().headers["etag"] == "x"
        assert len(self.bench.network.peers) == 1

    def test_a_service_may_say_what_caches_do(self):
        self.ask("GET", FILES + "/x")
        self.bench.peer.answer(200, b"", "Cache-Control: private, max-age=1")
        assert self.client.reply().headers["cache-control"] == "private, max-age=1"

    def test_chunked_both_ways(self):
        self.ask("POST", FILES, "Transfer-Encoding: chunked")
        self.client.send(b"3;x=y\r\nabc\r\n")
        _, headers, body = self.bench.peer.head()
        assert headers["transfer-encoding"] == ["chunked"]
        assert "content-length" not in headers
        self.client.send(b"2\r\nde\r\n0\r\nX-Trailer: dropped\r\n\r\n")
        assert body + self.bench.peer.got == b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        self.bench.peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n")
        self.bench.peer.send(b"0\r\nX-Trailer: dropped\r\n\r\n")
        reply = self.client.reply()
        assert reply.body == b"xyz"
        assert "x-trailer" not in reply.headers

    def test_an_answer_that_ends_with_the_connection(self):
        self.ask("GET", FILES + "/x")
        self.bench.peer.send(b"HTTP/1.0 200 OK\r\n\r\nabc")
        self.bench.peer.leave()
        assert self.client.reply().body == b"abc"
        assert not self.client.closed

    def test_continue_crosses(self):
        self.ask("POST", FILES, "Expect: 100-continue", "Content-Length: 3")
        assert self.bench.peer.head()[1]["expect"] == ["100-continue"]
        assert self.client.replies() == []
        self.bench.peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert self.client.replies()[0].status == 100
        self.client.send(b"abc")
        assert self.bench.peer.got == b"abc"
        self.bench.peer.answer(201)
        assert self.client.reply().status == 201

    def test_no_continue_for_who_is_refused(self):
        self.ask("POST", FILES, "Expect: 100-continue", "Content-Length: 300000")
        self.bench.peer.answer(401, b"{}", "Connection: close")
        reply = self.client.reply()
        assert (reply.status, reply.headers["connection"]) == (401, "close")
        assert self.client.closed
        assert self.bench.peer.closed

    # Connections.

    def test_connections_are_kept(self):
        for _ in range(5):
            self.ask("GET", LOGIN)
            self.bench.peer.got
            self.bench.peer.answer(200)
            assert self.client.reply().status == 200
        assert len(self.bench.network.peers) == 1
        self.bench.pass_time(52)
        assert self.bench.peer.transport.disconnecting

    def test_a_connection_that_is_to_close_is_not_kept(self):
        self.ask("GET", LOGIN)
        self.bench.peer.answer(200, b"", "Connection: close")
        assert self.bench.peer.closed
        self.ask("GET", LOGIN)
        assert len(self.bench.network.peers) == 2

    def test_a_kept_connection_that_ended_is_forgotten(self):
        self.ask("GET", LOGIN)
        self.bench.peer.answer(200)
        self.bench.peer.leave()
        self.ask("GET", LOGIN)
        assert len(self.bench.network.peers) == 2

    def test_unasked_bytes_end_a_kept_connection(self):
        self.ask("GET", LOGIN)
        self.bench.peer.answer(200)
        self.bench.peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        assert self.bench.peer.transport.disconnected

    def test_bytes_behind_an_answer_never_reach_the_next_client(self):
        self.ask("GET", LOGIN)
        self.bench.peer.send(OK % 1 + b"a" + OK % 4 + b"evil")
        assert self.client.reply().body == b"a"
        assert self.bench.peer.closed

    def test_two_requests_do_not_share_a_connection(self):
        other = self.bench.connect()
        self.ask("GET", LOGIN)
        other.request("GET", LOGIN)
        first, second = self.bench.network.peers
        second.answer(200, b"second")
        first.answer(200, b"first")
        assert self.client.reply().body == b"first"
        assert other.reply().body == b"second"

    def test_pipelined_requests_stay_in_order(self):
        self.ask("GET", LOGIN)
        self.ask("GET", FILES + "/x")
        assert len(self.bench.network.peers) == 1
        self.bench.peer.answer(200, b"1")
        self.bench.peer.answer(200, b"2")
        assert [reply.body for reply in self.client.replies()] == [b"1", b"2"]

    # Failures.

    def assertProblem(self, status, code):
        reply = self.client.reply()
        assert (reply.status, reply.code) == (status, code)
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json["request_id"] == reply.headers["x-request-id"]
        return reply

    def test_unreachable(self):
        self.bench.network.down.add("10.0.0.1:80")
        self.ask("POST", LOGIN, body=b"{}")
        self.assertProblem(502, "bad_gateway")
        assert not self.client.closed
        self.ask("GET", FILES)
        self.bench.peer.answer(200)
        assert self.client.reply().status == 200

    def test_no_answer_to_the_connect(self):
        self.bench.network.silent.add("10.0.0.1:80")
        self.ask("GET", LOGIN)
        self.bench.pass_time(4)
        assert self.client.replies() == []
        self.bench.pass_time(2)
        self.assertProblem(502, "bad_gateway")

    def test_no_answer_in_time(self):
        self.ask("POST", LOGIN, body=b"{}")
        self.bench.pass_time(29)
        assert self.client.replies() == []
        self.bench.pass_time(2)
        self.assertProblem(504, "gateway_timeout")
        assert self.bench.peer.transport.disconnected

    def test_an_answer_that_stops_halfway(self):
        self.ask("GET", FILES + "/x")
        self.bench.peer.send(OK % 100 + b"abc")
        self.bench.pass_time(62)
        assert self.client.transport.disconnected
        assert self.bench.peer.transport.disconnected

    def test_an_upstream_that_dies_halfway(self):
        self.ask("GET", FILES + "/x")
        self.bench.peer.send(OK % 100 + b"abc")
        self.bench.peer.leave(clean=False)
        assert self.client.transport.disconnected

    def test_an_upstream_that_dies_behind_its_head(self):
        self.ask("GET", FILES + "/x")
        self.bench.peer.send(OK % 100)
        self.bench.peer.leave(clean=False)
        reply = self.assertProblem(502, "bad_gateway")
        assert "etag" not in reply.headers

    def test_an_upstream_that_dies_before_its_answer(self):
        for method in ("GET", "POST"):
            self.ask(method, LOGIN)
            self.bench.peer.leave(clean=False)
            self.assertProblem(502, "bad_gateway")

    def test_nonsense(self):
        self.ask("GET", LOGIN)
        self.bench.peer.send(b"220 smtp ready\r\n\r\n")
        self.assertProblem(502, "bad_gateway")
        assert self.bench.peer.transport.disconnected

    def test_an_unwanted_upgrade(self):
        self.ask("GET", LOGIN)
        self.bench.peer.send(b"HTTP/1.1 101 Up\r\nUpgrade: websocket\r\n\r\n")
        self.assertProblem(502, "bad_gateway")

    def test_a_client_that_leaves_ends_the_upstream_request(self):
        self.ask("GET", FILES + "/x")
        self.client.leave()
        assert self.bench.peer.transport.disconnected
        [event] = self.logged.requests()
        assert event["status"] == 499

    def test_a_client_that_leaves_says_nothing_of_the_upstream(self):
        for _ in range(3):
            client = self.bench.connect()
            client.request("GET", FILES + "/x")
            peer = self.bench.peer
            client.leave()
            peer.leave()
        assert self.bench.upstreams["file"].resting == 0
        assert self.bench.upstreams["file"].in_flight == 0

    def test_a_client_that_leaves_in_the_middle_of_its_body(self):
        self.ask("POST", FILES, "Content-Length: 100")
        self.client.send(b"abc")
        self.client.leave()
        # What was sent may still arrive: a resumable upload keeps it.
        assert self.bench.peer.transport.disconnecting
        assert not self.bench.peer.transport.disconnected
        self.bench.pass_time(62)
        assert self.bench.peer.transport.disconnected

    def test_a_client_that_leaves_while_we_connect(self):
        self.bench.network.silent.add("10.0.0.3:80")
        self.ask("GET", FILES + "/x")
        self.client.leave()
        self.bench.pass_time(6)

    def test_a_broken_body_is_the_client_s_fault(self):
        self.ask("POST", FILES, "Transfer-Encoding: chunked")
        self.client.send(b"3\r\nabc\r\nnonsense\r\n")
        self.assertProblem(400, "bad_request")
        assert self.bench.peer.transport.disconnecting
        assert self.client.closed

    def test_an_answer_before_the_body_is_through(self):
        self.ask("POST", FILES, "Content-Length: 100000000")
        self.client.send(b"x" * 1000)
        self.bench.peer.answer(413, b"{}", "Connection: close")
        reply = self.client.reply()
        assert (reply.status, reply.headers["connection"]) == (413, "close")
        assert self.bench.peer.closed
        self.client.send(b"x" * 100_000)
        assert self.client.closed

    def test_an_early_answer_to_a_small_body_keeps_the_client(self):
        self.ask("POST", LOGIN, "Content-Length: 100")
        self.client.send(b"x" * 10)
        self.bench.peer.answer(401, b"{}")
        assert self.client.reply().status == 401
        assert self.bench.peer.closed
        self.client.send(b"x" * 90)
        self.ask("GET", LOGIN)
        self.bench.peer.answer(200)
        assert self.client.reply().status == 200

    # Again, or not.

    def test_a_dead_kept_connection_is_replaced_for_a_safe_request(self):
        self.ask("GET", LOGIN)
        self.bench.peer.answer(200)
        self.client.replies()
        self.ask("GET", LOGIN)
        self.bench.peer.leave()
        assert len(self.bench.network.peers) == 2
        self.bench.peer.answer(200, b"again")
        assert self.client.reply().body == b"again"

    def test_only_once(self):
        self.ask("GET", LOGIN)
        self.bench.peer.answer(200)
        self.client.replies()
        self.ask("GET", LOGIN)
        self.bench.peer.leave()
        self.bench.peer.leave()
        self.assertProblem(502, "bad_gateway")

    def test_a_claim_is_never_sent_again(self):
        for first in (True, False):
            self.ask("POST", "/api/v1/keys/claim", body=b"{}")
            if first:
                self.bench.peer.answer(200)
                self.client.replies()
                self.bench.peer.got
        count = len(self.bench.network.peers)
        self.bench.peer.leave()
        self.assertProblem(502, "bad_gateway")
        assert len(self.bench.network.peers) == count

    def test_delete_is_not_sent_again_either(self):
        self.ask("GET", LOGIN)
        self.bench.peer.answer(200)
        self.client.replies()
        self.ask("DELETE", "/api/v1/auth/me")
        self.bench.peer.leave()
        self.assertProblem(502, "bad_gateway")

    # Several instances.

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
