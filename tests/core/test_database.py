"""A connection to PostgreSQL and the reactor: libpq changes its socket while it connects."""

import os
import select
import socket
from typing import Any

from psycopg2.extensions import TransactionRollbackError
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.database.connection import Connection
from messenger.core.database.pool import Database
from messenger.core.settings import DatabaseSettings
from messenger.wire.errors import Code, Problem


class Reactor:
    """Watches sockets as an event loop does: by number, until told to let go of that number.

    `stale` are numbers that were watched when their socket was another already.
    """

    def __init__(self) -> None:
        self.reading: dict[Any, tuple[int, int]] = {}
        self.writing: dict[Any, tuple[int, int]] = {}
        self.stale: list[int] = []

    def addReader(self, one: Any) -> None:
        self.reading.setdefault(one, (one.fileno(), os.fstat(one.fileno()).st_ino))

    def addWriter(self, one: Any) -> None:
        self.writing.setdefault(one, (one.fileno(), os.fstat(one.fileno()).st_ino))

    def removeReader(self, one: Any) -> None:
        self._check(self.reading.pop(one, None))

    def removeWriter(self, one: Any) -> None:
        self._check(self.writing.pop(one, None))

    def _check(self, watched: tuple[int, int] | None) -> None:
        if watched is None:
            return
        try:
            same = os.fstat(watched[0]).st_ino == watched[1]
        except OSError:
            same = False
        if not same:
            self.stale.append(watched[0])

    def turn(self) -> None:
        """Wait for one event, and tell of it."""
        reading, writing = dict(self.reading), dict(self.writing)
        numbers = [[number for number, _ in watched.values()] for watched in (reading, writing)]
        readable, writable, _ = select.select(*numbers, [], 5)
        for one, (number, _) in reading.items():
            if number in readable:
                one.doRead()
        for one, (number, _) in writing.items():
            if number in writable:
                one.doWrite()
        for watched in (*self.reading.values(), *self.writing.values()):
            self._check(watched)


class ConnectionTests(SynchronousTestCase):
    def test_the_reactor_lets_go_of_a_socket_before_libpq_takes_another(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        port = listener.getsockname()[1]
        reactor = Reactor()
        connection = Connection(reactor, lambda _: None)
        # A server that hangs up, as one that is being killed does: libpq tries again without encryption.
        connecting: Deferred[Any] = connection.connect(
            host="127.0.0.1", port=port, dbname="x", user="x", password="x", sslmode="prefer"
        )
        errors: list[Any] = []
        connecting.addErrback(errors.append)
        while not errors:
            while select.select([listener], [], [], 0)[0]:
                listener.accept()[0].close()
            reactor.turn()
        self.assertEqual(reactor.stale, [])
        connection.end()
        self.assertEqual((reactor.reading, reactor.writing), ({}, {}))


class DatabaseTests(SynchronousTestCase):
    def test_who_hangs_in_a_transaction_does_not_keep_its_locks(self) -> None:
        database = Database(Clock(), DatabaseSettings(statement_timeout=7.0), "message", "secret", "0001")
        self.assertIn("idle_in_transaction_session_timeout=7000", database._connections._arguments["options"])

    def test_a_statement_without_an_answer_ends_its_connection(self) -> None:
        # The host went away without a word: no event will ever come.
        clock = Clock()
        database = Database(clock, DatabaseSettings(statement_timeout=10.0), "message", "secret", "0001")
        hung, idle = Silent(clock), Silent(clock)
        hung.asked = clock.seconds()
        database._leases.add(hung)  # type: ignore[arg-type]
        database._leases.add(idle)  # type: ignore[arg-type]
        clock.advance(14)
        database._end_stuck()
        self.assertFalse(hung.ended)
        clock.advance(2)
        database._end_stuck()
        self.assertEqual((hung.ended, idle.ended), (True, False))

    def test_connections_are_looked_after_while_they_are_lent(self) -> None:
        clock = Clock()
        database = Database(clock, DatabaseSettings(statement_timeout=10.0), "message", "secret", "0001")
        hung = Silent(clock)
        database._leases.add(hung)  # type: ignore[arg-type]
        self.assertEqual(clock.getDelayedCalls(), [])
        lent = self.successResultOf(ensureDeferred(database._lease()))
        hung.asked = clock.seconds()
        clock.pump([1] * 14)
        self.assertFalse(hung.ended)
        clock.pump([1] * 2)
        self.assertTrue(hung.ended)
        database._leases.give_back(lent)
        clock.advance(1)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_the_victim_of_a_deadlock_is_tried_once_more(self) -> None:
        database = Database(Clock(), DatabaseSettings(), "message", "secret", "0001")
        unlucky = Unlucky(1)
        database._leases.add(unlucky)  # type: ignore[arg-type]
        self.assertEqual(self.successResultOf(ensureDeferred(database.write("update"))), [("done",)])
        unlucky.deadlocks = 2
        failed = ensureDeferred(database.write("update"))
        self.assertEqual(self.failureResultOf(failed, Problem).value.code, Code.unavailable)
        self.assertEqual((database.idle, database.open), (1, 1))


class Unlucky:
    """A connection that runs into so many deadlocks."""

    ended = False
    at_rest = True

    def __init__(self, deadlocks: int) -> None:
        self.deadlocks = deadlocks

    async def run(self, sql: str, parameters: object) -> tuple[list[tuple[str]], int]:
        if self.deadlocks:
            self.deadlocks -= 1
            raise TransactionRollbackError("deadlock detected")
        return [("done",)], 1


class Silent:
    """A connection that does nothing."""

    def __init__(self, clock: Clock) -> None:
        self.asked: float | None = None
        self.ended = False

    def end(self) -> None:
        self.ended = True
