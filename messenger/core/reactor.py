"""The reactor of all our processes: Twisted's asyncio reactor on uvloop.

It has to be installed before anything imports `twisted.internet.reactor`: a subcommand's Options does that,
before `twist` takes its default.
"""

import asyncio
import math
import random
import resource
import select
import signal
import sys
from collections.abc import Callable
from typing import Any

from twisted.python.usage import UsageError

WANTED = "AsyncioSelectorReactor"

PATIENT_SECONDS = 0.5  # of a delay that may as well be a little longer
SLACK = 0.25  # of such a delay, at most
LONGEST_GRID = 0.5  # seconds between round times: promises of some seconds have that much to spare


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
    raise_descriptor_limit()
    import uvloop
    from twisted.internet import asyncioreactor

    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)
    from twisted.internet import reactor

    notice_children(reactor)
    watch_again(reactor)
    wake_rarely(reactor)


def wake_rarely(reactor: Any) -> None:
    """Have timers of PATIENT_SECONDS and more fall due together, and none before its time.

    An idle process does little but wake up. Long delays end at round times, at most SLACK of the delay and
    LONGEST_GRID later, so that one wake-up serves many of them; each process has round times of its own, lest
    all of them ask the database at once. And uvloop counts whole milliseconds, rounded: for what is left of
    one Twisted would be called again and again until it is over.
    """
    loop = reactor._asyncioEventloop
    phase = random.uniform(0, LONGEST_GRID)  # noqa: S311 -- no secret
    call_later, call_at = reactor.callLater, loop.call_at

    def at_a_round_time(delay: float, call: Callable[..., object], *args: Any, **kwargs: Any) -> Any:
        if delay >= PATIENT_SECONDS:
            now = reactor.seconds()
            grid = min(2.0 ** math.floor(math.log2(delay * SLACK)), LONGEST_GRID)
            delay = math.ceil((now + delay - phase) / grid) * grid + phase - now
        return call_later(delay, call, *args, **kwargs)

    def reschedule() -> None:
        timeout = reactor.timeout()
        if timeout is not None:
            reactor._scheduledAt = loop.time() + math.ceil(timeout * 1000) / 1000
            if reactor._timerHandle is not None:
                reactor._timerHandle.cancel()
            reactor._timerHandle = call_at(reactor._scheduledAt, reactor._onTimer)

    reactor.callLater = at_a_round_time
    reactor._reschedule = reschedule


def raise_descriptor_limit() -> None:
    """Let this process open as many files and sockets as its hard limit says.

    The soft limit is 1,024 on most systems, for the sake of programs that call select(); each relayed
    WebSocket takes two.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def notice_children(reactor: Any) -> None:
    """Have the reactor notice the end of child processes that have no pipe to it.

    Twisted waits for SIGCHLD on the file descriptor that signals wake; uvloop replaces that one with its own
    when it starts, but runs Python's signal handlers.
    """

    def listen() -> None:
        from twisted.internet.process import reapAllProcesses

        signal.signal(signal.SIGCHLD, lambda *_: reactor.callFromThread(reapAllProcesses))

    reactor.callWhenRunning(listen)


def watch_again(reactor: Any) -> None:
    """Have the reactor notice the end of a connection that its peer has reset behind its last bytes.

    uvloop calls back once for such a socket and then watches it no more, without a word: the bytes are read,
    the reset is not seen, and whoever writes next meets a RuntimeError. Watching it anew, Twisted finds the
    connection lost. Who only reads would never be told: a connection that was reset while nobody read from it
    is read to its end here.
    """
    from twisted.internet.tcp import Connection

    loop = reactor._asyncioEventloop

    def watching(add: Callable[[Any], None]) -> Callable[[Any], None]:
        def watch(selectable: Any) -> None:
            try:
                add(selectable)
            except RuntimeError:
                descriptor = selectable.fileno()
                loop.remove_reader(descriptor)
                loop.remove_writer(descriptor)
                was_read = reactor._readers.pop(selectable, None) is not None
                was_written = reactor._writers.pop(selectable, None) is not None
                add(selectable)
                if was_read:
                    reactor.addReader(selectable)
                if was_written:
                    reactor.addWriter(selectable)

        return watch

    def reads_on(add: Callable[[Any], None]) -> Callable[[Any], None]:
        def watch(selectable: Any) -> None:
            add(selectable)
            if isinstance(selectable, Connection) and selectable.connected and _was_reset(selectable):
                reactor.callLater(0, read_out, selectable)

        return watch

    def read_out(connection: Any) -> None:
        while connection in reactor._readers and _was_reset(connection):
            why = connection.doRead()
            if why is not None:
                reactor._disconnectSelectable(connection, why, True)

    reactor.addReader = reads_on(watching(reactor.addReader))
    reactor.addWriter = watching(reactor.addWriter)


def _was_reset(connection: Any) -> bool:
    waiting = select.poll()
    waiting.register(connection.fileno(), 0)  # an error is told in any case
    return any(event & select.POLLERR for _, event in waiting.poll(0))
