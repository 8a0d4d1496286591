"""A lease comes back: whatever is thrown, cancelled or timed out, at each wait of a call."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg2 import OperationalError, ProgrammingError
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.database.connection import Lost
from messenger.core.database.pool import Database, Transaction
from messenger.core.settings import DatabaseSettings
from messenger.wire.errors import Problem

PATIENCE = 10.0  # seconds: the statement time-out, which is how long a call waits for a connection, too


class Fake:
    """A connection whose statements are answered when the test says so; as `Connection` does it, else."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self.under_way: Deferred[None] | None = None
        self.asked: float | None = None
        self.answered = 0.0
        self.ended = False
        self.at_rest = True

    async def run(self, sql: str, parameters: object) -> tuple[list[tuple[str]], int]:
        if self.ended:
            raise Lost()
        self.asked = self._pool.clock.seconds()
        self.under_way = Deferred()
        if self._pool.at_once:
            self.under_way.callback(None)
        try:
            await self.under_way
        except CancelledError:
            self.end()
            raise
        finally:
            self.asked, self.answered = None, self._pool.clock.seconds()
            self.under_way = None
        if sql == "begin":
            self.at_rest = False
        elif sql in ("commit", "rollback"):
            self.at_rest = True
        return [(sql,)], 1

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            waiting, self.under_way = self.under_way, None
            if waiting is not None and not waiting.called:
                waiting.errback(Lost())
            self._pool.database._leases.remove(self)  # type: ignore[arg-type]


class Pool:
    """A pool of such connections, and the calls that are under way."""

    def __init__(self, connections: int) -> None:
        self.clock = Clock()
        self.at_once = False
        self.database = Database(
            self.clock, DatabaseSettings(statement_timeout=PATIENCE), "message", "secret", "0001"
        )
        self.calls: list[Deferred[Any]] = []
        self.ends = 0
        self.refused = 0
        for _ in range(connections):
            self.open_one()

    def open_one(self) -> None:
        self.database._leases.add(Fake(self))  # type: ignore[arg-type]

    @property
    def connections(self) -> list[Any]:
        return self.database._leases.all

    def call(self, coroutine: Any) -> None:
        made = ensureDeferred(coroutine)

        def ended(result: object) -> None:
            self.ends += 1
            self.refused += isinstance(result, Failure) and isinstance(result.value, Problem)

        made.addBoth(ended)
        self.calls.append(made)

    async def body(self, transaction: Transaction) -> None:
        await transaction.write("insert")
        await transaction.write("update")

    async def failing(self, transaction: Transaction) -> None:
        await transaction.write("insert")
        raise ValueError("the body's own")


STEPS = (
    "read",
    "bulk",
    "transaction",
    "failing",
    "answer",
    "refuse",
    "lose",
    "cancel",
    "wait",
    "long",
    "open",
)


class LeaseTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 7)), max_size=60))
    def test_every_lease_comes_back(self, steps: list[tuple[str, int]]) -> None:
        pool = Pool(3)
        for step, number in steps:
            busy = [one for one in pool.connections if one.under_way is not None]
            waiting = [one for one in pool.calls if not one.called]
            if step == "read":
                pool.call(pool.database.read("select"))
            elif step == "bulk":
                pool.call(pool.database.read("bulk", bulk=True))
            elif step == "transaction":
                pool.call(pool.database.transaction(pool.body))
            elif step == "failing":
                pool.call(pool.database.transaction(pool.failing))
            elif step == "answer" and busy:
                busy[number % len(busy)].under_way.callback(None)
            elif step == "refuse" and busy:
                busy[number % len(busy)].under_way.errback(ProgrammingError("no such table"))
            elif step == "lose" and busy:
                busy[number % len(busy)].end()
            elif step == "cancel" and waiting:
                waiting[number % len(waiting)].cancel()
            elif step == "wait":
                pool.clock.advance(0)
            elif step == "long":
                pool.clock.advance(PATIENCE + 1)
            elif step == "open":
                pool.open_one()
        for _ in range(9 * len(steps) + 9):
            for one in pool.connections:
                if one.under_way is not None:
                    one.under_way.callback(None)
            pool.clock.advance(0)
        pool.clock.advance(PATIENCE + 1)  # where no connection was left
        database = pool.database
        self.assertEqual((database.idle, database.waiting), (database.open, 0))
        self.assertEqual(database._bulk.free, 2)
        self.assertTrue(all(one.at_rest for one in pool.connections))
        self.assertEqual(pool.ends, len(pool.calls))

    def test_a_queue_of_calls_that_end_at_once_does_not_nest(self) -> None:
        # PostgreSQL on the same machine can have answered before anybody waits.
        pool = Pool(1)
        pool.call(pool.database.read("select"))
        for _ in range(1_999):
            pool.call(pool.database.read("select"))
        pool.at_once = True
        pool.connections[0].under_way.callback(None)
        while pool.ends < 2_000:
            before = pool.ends
            pool.clock.advance(0)
            self.assertGreater(pool.ends, before)
        self.assertEqual((pool.database.idle, pool.database.waiting), (1, 0))
        for call in pool.calls:
            self.successResultOf(call)

    def test_bulk_reads_leave_half_of_the_connections_to_the_others(self) -> None:
        pool = Pool(4)
        for _ in range(10):
            pool.call(pool.database.read("bulk", bulk=True))
        self.assertEqual((pool.database.idle, pool.database.waiting), (2, 8))
        pool.call(pool.database.write("insert"))
        self.assertEqual(pool.database.idle, 1)
        # Who waits too long is told, and its turn is nobody's.
        pool.clock.advance(PATIENCE + 1)
        self.assertEqual((pool.ends, pool.refused, pool.database.waiting), (8, 8, 0))
        for one in pool.connections:
            if one.under_way is not None:
                one.under_way.callback(None)
        self.assertEqual((pool.database.idle, pool.database._bulk.free), (4, 2))
        self.assertEqual((pool.ends, pool.refused), (11, 8))

    def test_what_nobody_gives_back_is_found(self) -> None:
        pool = Pool(2)
        taken: Any = self.successResultOf(ensureDeferred(pool.database._lease()))
        pool.clock.advance(PATIENCE + 4)
        pool.database._end_stuck()
        self.assertFalse(taken.ended)
        pool.clock.advance(2)
        pool.database._end_stuck()
        self.assertTrue(taken.ended)
        self.assertEqual((pool.database.open, pool.database.idle), (1, 1))
        self.flushLoggedErrors()

    def test_a_rollback_that_fails_ends_the_connection_and_tells_what_the_body_raised(self) -> None:
        pool = Pool(1)
        failed = ensureDeferred(pool.database.transaction(pool.failing))
        connection = pool.connections[0]
        connection.under_way.callback(None)  # begin
        connection.under_way.callback(None)  # insert
        connection.under_way.errback(OperationalError("canceling statement"))
        self.failureResultOf(failed, ValueError)
        self.assertEqual((connection.ended, pool.database.open), (True, 0))

    def test_a_connection_in_the_middle_of_a_transaction_serves_nobody_else(self) -> None:
        pool = Pool(1)
        connection: Any = self.successResultOf(ensureDeferred(pool.database._lease()))
        connection.at_rest = False
        pool.database._leases.give_back(connection)
        self.assertEqual((connection.ended, pool.database.open), (True, 0))
