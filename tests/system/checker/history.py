"""What clients did and saw, in the order in which it came: one list, kept as JSON lines when a run fails.

Times are seconds since 1970 by this machine's clock, which is the servers' too, so that a line here can be
found in their logs. The kinds of event, by `what`:

    device      a device and its user; known before anything else
    open        a socket is open; `synced` its backlog is through; `close` it has ended, with its code
    send        a client means to send a message, whatever becomes of it (once for each client_id)
    sent        it was answered for; `refused` it was refused for good; `unanswered` neither, to the end
    received    a message came on a socket; `change` a change came
    ack         a device acknowledged, on a socket
    fault       from `begin` to `end`, when everything was ready again
    truth       at the end: a conversation as its history and its list of changes say
    member      a membership change was answered for
    final       sockets from here on are fresh ones, opened after everything had settled
    outbox      at the end: rows left in a schema's outbox
"""

import json
import threading
import time
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class History:
    """Events of one run. `note` may be called from any thread."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._lock = threading.Lock()

    def note(self, what: str, **fields: Any) -> Event:
        """Keep an event that happens now."""
        event = {"at": time.time(), "what": what, **fields}
        with self._lock:
            self.events.append(event)
        return event

    def save(self, path: Path) -> None:
        """Write all events as JSON lines."""
        with path.open("w") as out:
            for event in self.events:
                out.write(json.dumps(event) + "\n")

    @staticmethod
    def load(path: Path) -> list[Event]:
        """The events of an earlier run."""
        with path.open() as lines:
            return [json.loads(line) for line in lines]
