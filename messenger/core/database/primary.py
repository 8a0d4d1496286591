"""Finding the primary among PostgreSQL's hosts, and which history of the database it has.

Each host is tried with a deadline of its own: libpq's `connect_timeout` does nothing for asynchronous
connects, and a host that takes a connection and says nothing would take all the time there is. The host that
was the primary last is tried first. The next one is tried as soon as the one before has failed, or has not
answered for HEAD_START seconds; the first primary that answers is taken, and the other tries are broken off.

With each new connection one statement asks whether the server takes writes, and for its history: the cluster
(`system_identifier`) and the timeline, which rises with each promotion of a standby. A server that has an
older timeline than was seen before is a primary that was replaced and does not know it yet: nothing may be
stored there any more.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import psycopg2
import psycopg2.errorcodes
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from messenger.core.database.connection import Connection, Lost
from messenger.core.database.versions import error_line
from messenger.core.hosts import HEAD_START, RECENT, Host, Recent

# `transaction_read_only` is on where the server is in recovery. A standby has no current place in the log.
WHO = """
select current_setting('transaction_read_only') = 'on', pg_is_in_recovery(),
    case when not pg_is_in_recovery() then left(pg_walfile_name(pg_current_wal_lsn()), 8) end,
    (select system_identifier::text from pg_control_system()), pg_backend_pid()
"""
_WHO_LITTLE = """
select current_setting('transaction_read_only') = 'on', pg_is_in_recovery(), '', '', pg_backend_pid()
"""
# Some clouds' engines have no such log, or tell nobody of it.
_UNTOLD = (
    psycopg2.errorcodes.INSUFFICIENT_PRIVILEGE,
    psycopg2.errorcodes.UNDEFINED_FUNCTION,
    psycopg2.errorcodes.FEATURE_NOT_SUPPORTED,
    psycopg2.errorcodes.OBJECT_NOT_IN_PREREQUISITE_STATE,
)


class History(NamedTuple):
    """A history of the database: a cluster, and its timeline; both empty where the server tells neither."""

    system: str
    timeline: str  # eight hexadecimal digits

    @property
    def word(self) -> str:
        """An opaque word for it."""
        return sha256(f"messenger-epoch-1 {self.system} {self.timeline}".encode()).hexdigest()[:16]

    def before(self, other: "History") -> bool:
        """Whether it is the same cluster's at an earlier time."""
        return self.system == other.system and self.timeline < other.timeline


class ReadOnly(Exception):
    """The server takes no writes; the text says why."""


class Older(Exception):
    """The server was a primary, and another has taken over."""


async def history_of(connection: Connection) -> History:
    """Which history the server at the other end has. ReadOnly where it takes no writes, Lost.

    Says of the connection whether it is to that server itself: a pooler tells each client a process id of its
    own making.
    """
    try:
        rows, _ = await connection.run(WHO, None)
    except psycopg2.Error as error:
        if error.pgcode not in _UNTOLD:
            raise
        rows, _ = await connection.run(_WHO_LITTLE, None)
    read_only, recovering, timeline, system, process_id = rows[0]
    connection.pooled = process_id != connection.process_id
    if recovering:
        raise ReadOnly("it is a standby")
    if read_only:
        raise ReadOnly("it is set to be read-only")
    return History(system, timeline)


class Unreachable(Exception):
    """No host could be used. `read_only`: one of those that answered takes no writes. `refused`: waiting
    can't help, for a server said no to a name or a password."""

    def __init__(self, reasons: Sequence[tuple[Host, BaseException]]) -> None:
        lines = [(host, error_line(error)) for host, error in reasons]
        said = lines[0][1] if len(lines) == 1 else "; ".join(f"{host}: {line}" for host, line in lines)
        super().__init__(said)
        self.read_only = any(isinstance(error, ReadOnly) for _, error in reasons)
        self.refused = any(_is_refusal(error) for _, error in reasons)


FAILURES = (psycopg2.Error, TimeoutError, ReadOnly, Older, Lost)

Attempt = Callable[[Host], Awaitable[Connection]]


class Hosts:
    """The hosts, in the order in which they are tried: `recent` knows who was the primary last."""

    def __init__(self, reactor: Any, hosts: Sequence[Host], recent: Recent = RECENT) -> None:
        self._reactor = reactor
        self._hosts = tuple(hosts)
        self._recent = recent

    async def connect(self, attempt: Attempt) -> Connection:
        """Give what `attempt` does for the first host that it gives something for; Unreachable.

        `attempt` raises one of FAILURES, and lets go of everything when it is cancelled.
        """
        race = _Race(self._reactor, self._recent.order(self._hosts), attempt)
        host, connection = await race.winner
        self._recent.found(self._hosts, host)
        return connection


class _Race:
    """Tries side by side, each begun when those before it have failed or have had their head start."""

    def __init__(self, reactor: Any, hosts: Sequence[Host], attempt: Attempt) -> None:
        self._reactor = reactor
        self._attempt = attempt
        self._left = deque(hosts)
        self._running: dict[Host, Deferred[Connection]] = {}
        self._reasons: list[tuple[Host, BaseException]] = []
        self._timer: Any = None
        self._over = False
        self.winner: Deferred[tuple[Host, Connection]] = Deferred(lambda _: self._end())
        self._next()

    def _next(self) -> None:
        self._stop_timer()
        if self._left:
            host = self._left.popleft()
            trying: Deferred[Connection] = Deferred.fromCoroutine(self._try(host))
            if not trying.called:
                self._running[host] = trying
                if self._left and not self._over:
                    self._timer = self._reactor.callLater(HEAD_START, self._next)
            trying.addCallbacks(self._won, self._failed, callbackArgs=(host,), errbackArgs=(host,))
        elif not self._running and not self._over:
            self._over = True
            self.winner.errback(Unreachable(self._reasons))

    async def _try(self, host: Host) -> Connection:
        return await self._attempt(host)

    def _won(self, connection: Connection, host: Host) -> None:
        self._running.pop(host, None)
        if self._over:
            connection.end()
            return
        self._end()
        self.winner.callback((host, connection))

    def _failed(self, why: Failure, host: Host) -> None:
        self._running.pop(host, None)
        if self._over:
            return
        if why.check(*FAILURES) is None:
            self._end()
            self.winner.errback(why)
            return
        assert why.value is not None
        self._reasons.append((host, why.value))
        self._next()

    def _end(self) -> None:
        self._over = True
        self._stop_timer()
        running, self._running = self._running, {}
        for trying in running.values():
            trying.cancel()

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None


def _is_refusal(error: BaseException) -> bool:
    text = str(error)
    return "authentication failed" in text or "does not exist" in text or "no password supplied" in text
