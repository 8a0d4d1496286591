"""Telling systemd how the process is, where systemd has started it.

A unit of `Type=notify` names a datagram socket in NOTIFY_SOCKET, and each datagram holds lines of NAME=VALUE
(sd_notify(3)): READY=1 once clients can be served, STOPPING=1 as the stop begins, RELOADING=1 and READY=1
around what SIGHUP sets off, WATCHDOG=1 within each WATCHDOG_USEC. The last comes from the reactor, so that a
reactor that hangs is noticed: systemd then ends the process and starts it again.

Without NOTIFY_SOCKET nothing of this happens. Sockets that systemd hands over are core/http/listen.py's.
"""

import os
import socket
import time
from collections.abc import MutableMapping
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from messenger.core.hangup import on_hangup

log = Logger(namespace="messenger.systemd")

_TAKEN = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Systemd:
    """Tells systemd how the process is. `environ` loses what is for this process alone, not for its children.

    `clock` is what the watchdog runs by: the reactor.
    """

    def __init__(self, clock: Any, environ: MutableMapping[str, str]) -> None:
        found = {name: environ.pop(name, "") for name in _TAKEN}
        self._clock = clock
        self._address = found["NOTIFY_SOCKET"]
        self._every = self._watchdog_seconds(found) / 2
        self._loop = LoopingCall(self.tell, "WATCHDOG=1")
        self._loop.clock = clock
        self._failed = False

    @staticmethod
    def _watchdog_seconds(found: dict[str, str]) -> float:
        micros, pid = found["WATCHDOG_USEC"], found["WATCHDOG_PID"]
        if not micros.isdigit() or (pid and pid != str(os.getpid())):
            return 0.0
        return int(micros) / 1e6

    def ready(self) -> None:
        """The process serves. From now on the watchdog is fed, and SIGHUP does not end the process."""
        if not self._address:
            return
        self.tell("READY=1\nSTATUS=ready")
        if self._every > 0:
            self._loop.start(self._every, now=True).addErrback(
                lambda why: log.failure(
                    "systemd's watchdog is no longer notified; it will restart this process", why
                )
            )
        on_hangup(self._clock, self._reloaded)

    def _reloaded(self) -> None:
        # What else listens to SIGHUP has been called before: whoever listens first is called first.
        self.tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        self.tell("READY=1")

    def stopping(self, seconds: float) -> None:
        """The stop begins, and may take `seconds`, whatever the unit's TimeoutStopSec says."""
        self.tell(f"STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def failed(self, why: str) -> None:
        """The start has failed: `why` is what `systemctl status` shows."""
        self.tell(f"STATUS={' '.join(why.split())}")

    def tell(self, message: str) -> None:
        """Send a datagram; nothing where nobody waits for it. Never blocks, never raises."""
        if not self._address:
            return
        # An address that begins with @ is in the abstract namespace, which begins with a zero byte.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
                out.sendto(message.encode(), address)
        except OSError as error:
            if not self._failed:
                log.error(
                    "systemd is not notified: {why}; the unit wants NotifyAccess=main",
                    event="notify_failed",
                    why=str(error),
                )
            self._failed = True
