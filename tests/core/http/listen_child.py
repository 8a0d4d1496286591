"""A server on the endpoints in its arguments, until SIGTERM: `python listen_child.py ENDPOINT ...`.

Prints a line with its first port once it listens. `/me` answers with the client's address, `/pid` with the
process's id.
"""

import os
import sys

from messenger.core.reactor import install_reactor

install_reactor()

from twisted.internet import reactor  # noqa: E402
from twisted.internet.defer import ensureDeferred  # noqa: E402
from twisted.logger import globalLogBeginner, textFileLogObserver  # noqa: E402

from messenger.core.http import Answer, HttpServer, Router, route  # noqa: E402


class Endpoints:
    @route("GET", "/pid", answer=bytes, open=True)
    async def pid(self, call):
        """Which process."""
        return Answer(200, b"%d" % os.getpid(), content_type="text/plain")


async def main():
    server = HttpServer(reactor, "child", sys.argv[1:], Router([Endpoints()], prefix=""))
    await server.start()
    reactor.addSystemEventTrigger("before", "shutdown", lambda: ensureDeferred(server.stop()))
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()


globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
reactor.callWhenRunning(lambda: ensureDeferred(main()))
reactor.run()
