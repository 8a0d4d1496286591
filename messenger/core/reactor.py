"""The reactor of all our processes: Twisted's asyncio reactor on uvloop.

It has to be installed before anything imports `twisted.internet.reactor`: a subcommand's Options does that,
before `twist` takes its default.
"""

import asyncio
import signal
import sys
from typing import Any

from twisted.python.usage import UsageError

WANTED = "AsyncioSelectorReactor"


def install_reactor() -> None:
    """Install the reactor; UsageError where another kind is already there."""
    if "twisted.internet.reactor" in sys.modules:
        from twisted.internet import reactor

        if type(reactor).__name__ != WANTED:
            raise UsageError(
                f"the services run on the asyncio reactor, not on {type(reactor).__name__}: "
                "start them by `twist NAME`, without --reactor"
            )
        return
    import uvloop
    from twisted.internet import asyncioreactor

    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)
    from twisted.internet import reactor

    notice_children(reactor)


def notice_children(reactor: Any) -> None:
    """Have the reactor notice the end of child processes that have no pipe to it.

    Twisted waits for SIGCHLD on the file descriptor that signals wake; uvloop replaces that one with its own
    when it starts, but runs Python's signal handlers.
    """

    def listen() -> None:
        from twisted.internet.process import reapAllProcesses

        signal.signal(signal.SIGCHLD, lambda *_: reactor.callFromThread(reapAllProcesses))

    reactor.callWhenRunning(listen)
