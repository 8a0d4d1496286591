"""A client, a gateway and services behind it, as the proxy's tests have them."""

from twisted.trial.unittest import SynchronousTestCase

from tests.core.http.http_transport import Logged
from tests.gateway.gateway_transport import Bench

LOGIN = "/api/v1/auth/login"
FILES = "/api/v1/files"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


class ProxyCase(SynchronousTestCase):
    """`bench` has all of it, `client` asks."""

    def setUp(self):
        self.logged = Logged(self)
        self.bench = Bench()
        self.client = self.bench.client

    def ask(self, *arguments, **named):
        self.bench.request(*arguments, **named)

    def assertProblem(self, status, code):
        reply = self.client.reply()
        assert (reply.status, reply.code) == (status, code)
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json["request_id"] == reply.headers["x-request-id"]
        return reply
