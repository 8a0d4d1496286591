"""How what fails between gateway and services is told, and what is tried again."""

from tests.gateway.proxy_case import FILES, LOGIN, OK, ProxyCase


class FailureCase(ProxyCase):
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
