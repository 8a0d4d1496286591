"""A service and a gateway in front of it, in one process on real sockets: `python child.py`.

Prints the ports of the gateway and of the service, then runs until SIGTERM. With the number of a port as its
argument the gateway takes what listens there for all services.
"""

import sys

from autobahn.twisted.websocket import WebSocketServerFactory
from msgspec import Struct
from twisted.internet import asyncioreactor

asyncioreactor.install()

from twisted.internet import reactor  # noqa: E402
from twisted.internet.defer import Deferred, ensureDeferred  # noqa: E402
from twisted.internet.task import deferLater  # noqa: E402

from messenger.core.http.answers import StreamedAnswer  # noqa: E402
from messenger.core.http.router import Router  # noqa: E402
from messenger.core.http.routing import route  # noqa: E402
from messenger.core.http.server import HttpServer  # noqa: E402
from messenger.core.http.system import SystemEndpoints  # noqa: E402
from messenger.core.identity import Identity  # noqa: E402
from messenger.gateway.app import Gateway  # noqa: E402
from messenger.gateway.upstream import Upstream  # noqa: E402
from messenger.messages.fast_text import FastTextProtocol  # noqa: E402
from messenger.messages.socket import protocol_options  # noqa: E402
from messenger.wire.errors import Code, Problem  # noqa: E402
from messenger.wire.system import Info  # noqa: E402

PIECE = b"x" * 65_536


class Total(Struct):
    total: int


class Authenticator:
    async def identify(self, token):
        if token != "good":
            raise Problem(Code.unauthorized)
        return Identity("u", "d", "s", 0, 0)

    def has_ended(self, session_id):
        return False

    def on_ended(self, listener):
        """No session ends here."""


class Endpoints:
    lost = 0

    @route("POST", "/files", streamed=True, answer=Total)
    async def upload(self, call):
        """Counts."""
        total = 0
        try:
            async for chunk in call.content:
                total += len(chunk)
        except Exception:
            Endpoints.lost += 1
            raise
        return Total(total)

    @route("GET", "/files", answer=bytes, open=True)
    async def download(self, call):
        """100 MiB."""

        async def write(out):
            try:
                for _ in range(1_600):
                    await out.send(PIECE)
            except BaseException:
                Endpoints.lost += 1
                raise

        return StreamedAnswer(write, length=None if call.header("X-Chunked") else 1_600 * len(PIECE))

    @route("GET", "/auth/lost", answer=Total, open=True)
    async def lost_count(self, call):
        """How many streams broke off."""
        return Total(Endpoints.lost)

    @route("GET", "/auth/slow", answer=Total, open=True)
    async def slow(self, call):
        """Takes a second."""
        await deferLater(reactor, 1.0, lambda: None)
        return Total(1)

    @route("GET", "/auth/never", answer=Total, open=True)
    async def never(self, call):
        """Takes for ever."""
        await Deferred()


class Echo(FastTextProtocol):
    def onMessage(self, payload, isBinary):
        self.sendMessage(payload, isBinary)


async def check():
    pass


def build():
    factory = WebSocketServerFactory(reactor=reactor, server="")
    factory.protocol = Echo
    # As the message service has it, but for the size that the largest cases of the test suite need.
    size = {"maxFramePayloadSize": 17 << 20, "maxMessagePayloadSize": 17 << 20}
    factory.setProtocolOptions(**(protocol_options(45.0) | size))
    router = Router([Endpoints(), SystemEndpoints(reactor, {"engine": check})], authenticator=Authenticator())
    router.websocket("/ws", factory)
    service = HttpServer(reactor, "service", "tcp:0:interface=127.0.0.1", router)
    return service


async def main():
    service = build()
    await service.start()
    upstreams = {
        name: Upstream(reactor, name, [f"127.0.0.1:{service.port}"], first_byte_seconds=2.0)
        for name in ("auth", "message", "file")
    }
    upstreams["key"] = Upstream(reactor, "key", ["127.0.0.1:1"])
    for port in sys.argv[1:]:
        upstreams = {name: Upstream(reactor, name, [f"127.0.0.1:{port}"]) for name in upstreams}
    info = Info(version="1", protocols=[], registration="open", limits={}, features=[])
    gateway = Gateway(reactor, upstreams, info=info)
    server = HttpServer(
        reactor, "gateway", "tcp:0:interface=127.0.0.1", gateway, draining=gateway.drain, header_seconds=2.0
    )
    await server.start()

    async def stop():
        await server.stop()
        await gateway.stop()
        await service.stop()

    reactor.addSystemEventTrigger("before", "shutdown", lambda: ensureDeferred(stop()))
    sys.stdout.write(f"{server.port} {service.port}\n")
    sys.stdout.flush()


reactor.callWhenRunning(lambda: ensureDeferred(main()))
reactor.run()
