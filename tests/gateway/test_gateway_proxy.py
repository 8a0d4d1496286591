"""What crosses the gateway."""

from tests.gateway.gateway_transport import Bench
from tests.gateway.proxy_case import FILES, LOGIN, OK, ProxyCase


class CrossingCase(ProxyCase):
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
