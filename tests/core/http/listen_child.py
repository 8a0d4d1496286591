"""A server on the endpoints in its arguments, until SIGTERM: `python listen_child.py ENDPOINT ...`.

Prints a line with its first port once it listens. `/pid`, and what stands for services behind a gateway,
answer with the process's id; `/ws` is an echo.
"""

import os
import sys

from messenger.core.reactor import install_reactor

install_reactor()

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol  # noqa: E402
from twisted.internet import reactor  # noqa: E402
from twisted.internet.defer import ensureDeferred  # noqa: E402
from twisted.logger import globalLogBeginner, textFileLogObserver  # noqa: E402

from messenger.core.http.answers import Answer  # noqa: E402
from messenger.core.http.router import Router  # noqa: E402
from messenger.core.http.routing import route  # noqa: E402
from messenger.core.http.server import HttpServer  # noqa: E402


class Endpoints:
    @route("GET", "/pid", answer=bytes, open=True)
    async def pid(self, call):
        """Which process."""
        return Answer(200, b"%d" % os.getpid(), content_type="text/plain")

    @route("GET", "/.well-known/jwks.json", answer=bytes, open=True)
    async def keys(self, call):
        """For a gateway."""
        return await self.pid(call)

    @route("GET", "/api/v1/keys/status", answer=bytes, open=True)
    async def status(self, call):
        """For a gateway."""
        return await self.pid(call)


class Echo(WebSocketServerProtocol):
    def onMessage(self, payload, isBinary):
        self.sendMessage(payload, isBinary)


async def main():
    factory = WebSocketServerFactory(reactor=reactor)
    factory.protocol = Echo
    router = Router([Endpoints()], prefix="")
    router.websocket("/ws", factory)
    server = HttpServer(reactor, "child", sys.argv[1:], router)
    await server.start()
    reactor.addSystemEventTrigger("before", "shutdown", lambda: ensureDeferred(server.stop()))
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()


globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
reactor.callWhenRunning(lambda: ensureDeferred(main()))
reactor.run()
