"""Sessions that end while a request of theirs is under way."""

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.http.router import Router
from tests.core.http.http_app import ALICE, Authenticator, Endpoints
from tests.core.http.http_transport import Connection, Logged, site
from tests.core.http.test_http_upgrade import HANDSHAKE

GOOD = "Authorization: Bearer good"
JSON = "Content-Type: application/json"


class EndedCase(SynchronousTestCase):
    def setUp(self):
        self.logged = Logged(self)
        self.endpoints, self.authenticator = Endpoints(), Authenticator()
        self.router = Router([self.endpoints], authenticator=self.authenticator)
        self.client = Connection(site(self.router))

    def test_a_slow_body_is_not_acted_on(self):
        self.client.request("POST", "/api/v1/private", JSON, GOOD, "Content-Length: 7")
        self.client.send(b'{"a":')
        self.authenticator.end()
        assert self.client.replies() == []
        self.client.send(b"5}")
        reply = self.client.reply()
        assert (reply.status, reply.code) == (401, "unauthorized")
        assert self.endpoints.calls == []

    def test_an_upload_is_refused_where_it_is(self):
        self.client.request("POST", "/api/v1/own-upload", GOOD, "Content-Length: 100000")
        self.client.send(b"abc")
        self.authenticator.end()
        reply = self.client.reply()
        assert (reply.status, reply.code) == (401, "unauthorized")
        assert len(self.endpoints.lost) == 1
        assert self.client.closed

    def test_an_upload_that_is_complete_is_through(self):
        self.endpoints.waiting.append(Deferred())
        self.client.request("POST", "/api/v1/own-upload", GOOD, body=b"abc")
        self.authenticator.end()
        waiting = self.endpoints.waiting.pop()
        waiting.callback(None)
        assert self.client.reply().json == {"total": 3}

    def test_a_download_is_cut(self):
        self.client.channel.pauseProducing()  # the client is slow
        self.client.request("GET", "/api/v1/own-download", GOOD)
        assert len(self.endpoints.chunks) == 1
        self.authenticator.end()
        assert self.client.transport.disconnected
        self.client.leave()
        assert len(self.endpoints.lost) == 1

    def test_what_is_through_is_forgotten(self):
        self.client.request("POST", "/api/v1/own-upload", GOOD, body=b"abc")
        self.client.request("GET", "/api/v1/own-download", GOOD)
        assert [reply.status for reply in self.client.replies()] == [200, 200]
        self.authenticator.end()
        assert not self.client.closed
        assert self.router._transfers._requests == {}

    def test_a_socket_is_not_opened(self):
        waiting = Deferred()

        async def accept(call, protocol):
            call.identify(ALICE)
            await waiting  # the limits are asked, say

        self.router.websocket("/ws", Factory.forProtocol(Protocol), accept)
        self.client.request("GET", "/ws", *(f"{name}: {value}" for name, value in HANDSHAKE.items()))
        self.authenticator.end()
        waiting.callback(None)
        assert self.client.reply().status == 401
