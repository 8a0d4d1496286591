"""Holds a process by a descriptor, which stays that process's even when its number is given to another.

Twisted notices the end of a child by SIGCHLD, and uvloop takes the wake-up descriptor away from it when the
loop begins to run: without a pipe that is open to the child nothing tells. The descriptor does, on every
loop: it becomes readable when the process has ended (pidfd_open(2), Linux 5.3).
"""

import os
import signal
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer


@implementer(IReadDescriptor)
class ProcessHandle:
    """The process that has the number `pid` now; ProcessLookupError if none has. `close` lets go of it."""

    def __init__(self, reactor: Any, pid: int) -> None:
        self._reactor = reactor
        self._descriptor = os.pidfd_open(pid)
        self._ended: Deferred[None] | None = None

    def send(self, number: int) -> None:
        """Send it a signal; ProcessLookupError if it has ended."""
        signal.pidfd_send_signal(self._descriptor, number)

    def ended(self) -> Deferred[None]:
        """Fires when it has ended; may be cancelled. One at a time."""
        ended = self._ended = Deferred(lambda _: self._stop())
        self._reactor.addReader(self)
        return ended

    def close(self) -> None:
        self._stop()
        os.close(self._descriptor)

    def _stop(self) -> None:
        self._ended = None
        self._reactor.removeReader(self)

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "pidfd"

    def doRead(self) -> None:
        ended = self._ended
        self._stop()
        if ended is not None:
            ended.callback(None)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor is done with it; who made it closes it."""
