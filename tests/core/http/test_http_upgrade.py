"""Leaving HTTP for WebSocket: what is refused, and what is handed over."""

import pytest
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.http.upgrade import take_over
from messenger.wire.errors import Code, Problem
from tests.core.http.http_app import Endpoints, router
from tests.core.http.http_transport import Connection, Logged, site

HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def handshake(**changes):
    merged = HANDSHAKE | {name.replace("_", "-"): value for name, value in changes.items()}
    return [f"{name}: {value}" for name, value in merged.items() if value is not None]


class Echo(WebSocketServerProtocol):
    user = None

    def onMessage(self, payload, isBinary):
        self.sendMessage(payload + (self.user or b""), isBinary)


class UpgradeCase(SynchronousTestCase):
    def setUp(self):
        self.logged = Logged(self)
        self.router = router(Endpoints())
        self.site = site(self.router)
        self.client = Connection(self.site)
        self.factory = WebSocketServerFactory(reactor=self.site.clock)
        self.factory.protocol = Echo
        self.waiting = None

        async def accept(call, protocol):
            if self.waiting is not None:
                await self.waiting
            if call.header("Authorization") is None:
                raise Problem(Code.unauthorized)
            protocol.user = b"!"

        self.router.websocket("/ws", self.factory, accept)

    def ask(self, *headers, method="GET"):
        self.client.request(method, "/ws", *headers)
        return self.client.reply()

    def test_accepted(self):
        self.client.request("GET", "/ws", *handshake(Authorization="Bearer x"))
        reply = self.client.reply_101()
        assert reply.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert self.site.connections == 0
        self.client.transport.protocol.dataReceived(b"\x81\x82\0\0\0\0hi")
        assert self.client.transport.value() == b"\x81\x03hi!"
        [event] = self.logged.requests()
        assert (event["route"], event["status"]) == ("/ws", 101)

    def test_an_extension_that_is_offered_is_declined(self):
        for offer in (
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits=8",
            "permessage-deflate; nonsense=1, x-unknown",
            ";;,=",
        ):
            client = Connection(self.site)
            client.request("GET", "/ws", *handshake(Authorization="Bearer x", Sec_WebSocket_Extensions=offer))
            assert "sec-websocket-extensions" not in client.reply_101().headers, offer

    def test_a_frame_behind_the_handshake(self):
        lines = "\r\n".join(handshake(Authorization="Bearer x"))
        self.client.send(f"GET /ws HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n".encode() + b"\x81\x82\0\0\0\0hi")
        assert self.client.transport.value().endswith(b"\x81\x03hi!")

    def test_a_frame_while_the_token_is_judged(self):
        self.waiting = Deferred()
        self.client.request("GET", "/ws", *handshake(Authorization="Bearer x"))
        self.client.send(b"\x81\x82\0\0\0\0hi")
        assert self.client.transport.value() == b""
        self.waiting.callback(None)
        assert self.client.transport.value().endswith(b"\x81\x03hi!")

    def test_a_client_that_leaves_while_the_token_is_judged(self):
        self.waiting = Deferred()
        self.client.request("GET", "/ws", *handshake(Authorization="Bearer x"))
        self.client.leave()
        self.waiting.callback(None)
        assert self.client.transport.value() == b""

    def test_refused_by_the_service(self):
        reply = self.ask(*handshake())
        assert (reply.status, reply.code) == (401, "unauthorized")
        assert not self.client.closed
        self.client.request("GET", "/api/v1/page")
        assert self.client.reply().status == 200

    def test_other_methods(self):
        reply = self.ask(*handshake(), method="POST")
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")

    def test_head_is_no_handshake_and_no_other_method_either(self):
        assert self.ask(*handshake(), method="HEAD").status == 426

    def test_no_deadline_after_the_handshake(self):
        self.client.request("GET", "/ws", *handshake(Authorization="Bearer x"))
        self.client.reply_101()
        for _ in range(300):
            self.site.clock.advance(1)
        assert not self.client.closed

    def test_take_over(self):
        class App:
            def dispatch(self, request):
                self.taken = take_over(request)[:2]

        app = App()
        client = Connection(site(app))
        client.request("GET", "/", body=b"")
        transport, buffered = app.taken
        assert transport is client.transport
        assert buffered == b""
        assert transport.producer is None

    def test_old_protocol_hears_nothing_more(self):
        class Sink(Protocol):
            def __init__(self):
                self.got = b""

            def dataReceived(self, data):
                self.got += data

        sink = Sink()

        class App:
            def dispatch(self, request):
                from messenger.core.http.upgrade import hand_over

                hand_over(request, sink)

        client = Connection(site(App()))
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sink.got == b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        assert client.transport.protocol is sink
        assert client.transport.value() == b""


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Upgrade": None}, 426),
        ({"Upgrade": "h2c"}, 426),
        ({"Connection": "keep-alive"}, 426),
        ({"Connection": None}, 426),
        ({"Sec_WebSocket_Version": "8"}, 426),
        ({"Sec_WebSocket_Version": None}, 426),
        ({"Sec_WebSocket_Key": None}, 400),
        ({"Sec_WebSocket_Key": "short"}, 400),
        ({"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZR=="}, 400),
        ({"Content_Length": "5"}, 400),
    ],
)
def test_malformed_handshakes(changes, status):
    made = router(Endpoints())
    made.websocket("/ws", WebSocketServerFactory())
    client = Connection(site(made))
    client.request("GET", "/ws", *handshake(**changes))
    reply = client.reply()
    assert reply.status == status
    assert reply.headers["content-type"] == "application/problem+json"
    if status == 426:
        assert reply.headers["upgrade"] == "websocket"
        assert reply.headers["sec-websocket-version"] == "13"
