"""A blocking connection to the primary among PostgreSQL's hosts, for whoever looks before a service does.

libpq by itself tries one host after the other, and waits seconds for each that says nothing. Here the next
one is tried after HEAD_START, as services do it (primary.py), and who was the primary last comes first.
"""

from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import psycopg2
import psycopg2.extensions

from messenger.core.hosts import HEAD_START, RECENT, Host
from messenger.core.settings import DatabaseSettings

CONNECT_SECONDS = 5  # of each host


def connect(
    settings: DatabaseSettings, *, any_state: bool = False, **arguments: Any
) -> psycopg2.extensions.connection:
    """A connection by libpq's `arguments`; with `any_state` a standby will do. psycopg2.OperationalError."""
    hosts = settings.hosts
    answers: SimpleQueue[tuple[Host, psycopg2.extensions.connection | psycopg2.Error]] = SimpleQueue()

    def attempt(host: Host) -> None:
        try:
            found = psycopg2.connect(
                host=host.name,
                port=host.port,
                dbname=settings.name,
                sslmode=settings.sslmode,
                target_session_attrs="any" if any_state else "read-write",
                connect_timeout=CONNECT_SECONDS,
                **arguments,
            )
        except psycopg2.Error as error:
            answers.put((host, error))
        else:
            # One that nobody waits for any more is closed with the queue that holds it.
            answers.put((host, found))

    left = RECENT.order(hosts)
    running = 0
    reasons: list[str] = []
    while left or running:
        if left:
            Thread(target=attempt, args=(left.pop(0),), name="connect", daemon=True).start()
            running += 1
        try:
            host, answer = answers.get(timeout=HEAD_START if left else None)
        except Empty:
            continue
        running -= 1
        if not isinstance(answer, psycopg2.Error):
            if not any_state:
                RECENT.found(hosts, host)
            return answer
        reasons.append(str(answer).strip())
    raise psycopg2.OperationalError("\n".join(reasons))
