"""File descriptors: how many this process may have, and one line, not thousands, when none is left.

Each socket takes one, each relayed WebSocket two. When they have run out Twisted closes what comes and logs
three lines for it, each time; `Exhaustion` makes one line of as many as come, and tells what to do.
"""

import resource
import time
from collections.abc import Callable
from typing import Any

from twisted.logger import LogEvent, Logger, LogLevel

BESIDES = 500  # for engines, files, listeners
QUIET_SECONDS = 60.0  # without one it is over, and the next one is told again

_FORMATS = ("EMFILE ", "Re-reserving EMFILE", "Could not reserve EMFILE", "Could not re-reserve EMFILE")
_REFUSED = "Could not accept new connection"
_FULL = frozenset({"EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"})

log = Logger(namespace="messenger.descriptors")


class DescriptorLimit:
    """A part that warns as the process starts where it may have fewer than `sockets`, which `setting`
    allows."""

    def __init__(self, sockets: int, setting: str) -> None:
        self._needed = sockets + BESIDES
        self._setting = setting

    async def start(self) -> None:
        """Warn, if need be."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit != resource.RLIM_INFINITY and limit < self._needed:
            log.warn(
                "this process may open {limit} files and sockets, and {setting} allows for {needed}: raise"
                " the limit (LimitNOFILE, ulimit -Hn), or lower the setting",
                event="few_descriptors",
                limit=limit,
                needed=self._needed,
                setting=self._setting,
            )

    async def stop(self) -> None:
        """Nothing is held."""


class Exhaustion:
    """A filter of log events: gives what is to be logged in an event's place, None for nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = float("-inf")

    def __call__(self, event: LogEvent) -> LogEvent | None:
        if not _tells_of_it(event):
            return event
        now, before = self._clock(), self._last
        self._last = now
        if now - before < QUIET_SECONDS:
            return None
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        told: dict[str, Any] = {
            "log_level": LogLevel.error,
            "log_namespace": "messenger.descriptors",
            "log_time": event.get("log_time", 0.0),
            "log_format": "no more files and sockets can be opened (this process may have {limit}): clients"
            " are turned away until others leave; raise the limit (LimitNOFILE, ulimit -Hn)",
            "event": "no_descriptors",
            "limit": limit,
        }
        return told


def _tells_of_it(event: LogEvent) -> bool:
    if not str(event.get("log_namespace", "")).startswith("twisted.internet"):
        return False
    template = str(event.get("log_format", ""))
    if template.startswith(_REFUSED):
        return event.get("acceptError") in _FULL
    return template.startswith(_FORMATS)
