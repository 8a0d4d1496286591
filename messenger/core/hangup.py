"""SIGHUP, by which an administrator says that files have changed (`systemctl reload`, a renewed certificate).

As long as nobody listens the signal does what it always does: it ends the process.
"""

import signal
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

_calls: list[Callable[[], object]] = []  # a signal belongs to the process, and so do these

log = Logger()


def on_hangup(reactor: Any, call: Callable[[], object]) -> Callable[[], None]:
    """Have `call` called at each SIGHUP, by the reactor; the result ends that."""

    def run() -> None:
        for one in list(_calls):
            try:
                one()
            except Exception:
                log.failure("reloading on SIGHUP failed", event="failure")

    def stop() -> None:
        if call in _calls:
            _calls.remove(call)
            if not _calls:
                # Ignored rather than deadly: it may still come while the process stops.
                signal.signal(signal.SIGHUP, signal.SIG_IGN)

    if not _calls:
        signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(run))
    _calls.append(call)
    return stop
