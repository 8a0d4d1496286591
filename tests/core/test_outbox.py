"""The outbox: what was committed reaches the bus, now or by relay, and its row goes only after that."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.bus.connection import BusAway
from messenger.core.outbox import IN_FLIGHT, RELAY_BATCH, Outbox, record
from messenger.core.outgoing import Outgoing
from messenger.wire.errors import unavailable
from messenger.wire.events import Event, UserDeleted, UserRemoval


class Table:
    """A database with one outbox. `left` is what the relay finds: rows older than two seconds."""

    def __init__(self) -> None:
        self.left: list[tuple[str, str, bytes]] = []
        self.reads: list[int] = []
        self.deletes: list[list[str]] = []
        self.hold_read: Deferred[None] | None = None
        self.hold_delete: Deferred[None] | None = None
        self.read_error: Exception | None = None
        self.delete_error: Exception | None = None
        self.lost = 0

    async def read(self, sql: str, parameters: tuple[int]) -> list[tuple[Any, ...]]:
        assert "from auth.outbox" in sql
        assert "interval '2 seconds'" in sql
        self.reads.append(parameters[0])
        if self.hold_read is not None:
            await self.hold_read
        if self.read_error is not None:
            raise self.read_error
        return [(*row, 7.5) for row in self.left[: parameters[0]]]

    async def write(self, sql: str, parameters: tuple[list[str]]) -> list[tuple[Any, ...]]:
        assert sql.startswith("delete from auth.outbox")
        self.deletes.append(parameters[0])
        if self.hold_delete is not None:
            await self.hold_delete
        if self.delete_error is not None:
            raise self.delete_error
        self.left = [row for row in self.left if row[0] not in parameters[0]]
        return []


class Wire:
    """A bus whose publishes the test answers, or that takes everything at once."""

    def __init__(self) -> None:
        self.connected = True
        self.moving = False  # from one server to another
        self.at_once = False
        self.told: list[tuple[str, bytes, str | None]] = []
        self.published: list[tuple[str, bytes, str]] = []
        self.answers: dict[str, Deferred[None]] = {}

    @property
    def taking(self) -> bool:
        return self.connected or self.moving

    def tell(self, subject: str, payload: bytes, event_id: str | None = None) -> None:
        self.told.append((subject, payload, event_id))

    async def publish(self, subject: str, payload: bytes, event_id: str) -> None:
        self.published.append((subject, payload, event_id))
        if not self.at_once:
            self.answers[event_id] = Deferred()
            await self.answers[event_id]

    def took(self, *event_ids: str) -> None:
        for event_id in event_ids:
            self.answers.pop(event_id).callback(None)

    def fail(self, event_id: str, error: Exception) -> None:
        self.answers.pop(event_id).errback(error)

    @property
    def ids(self) -> list[str]:
        return [event_id for _, _, event_id in self.published]


class Statements:
    """A transaction of the schema `auth`, with what it wrote."""

    schema = "auth"

    def __init__(self) -> None:
        self.wrote: list[tuple[str, Any]] = []

    async def write(self, sql: str, parameters: Any) -> int:
        self.wrote.append((sql, parameters))
        return len(parameters[0])


class OutboxTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.table = Table()
        self.bus = Wire()
        self.outbox = Outbox(self.clock, self.table, self.bus, "auth")  # type: ignore[arg-type]
        self.successResultOf(ensureDeferred(self.outbox.start()))

    def send(self, *event_ids: str) -> None:
        for event_id in event_ids:
            self.outbox.send(event_id, "subject", event_id.encode())

    # sending

    def test_an_event_is_published_at_once_and_its_row_goes_after_that(self) -> None:
        self.send("1")
        self.assertEqual(self.bus.published, [("subject", b"1", "1")])
        self.assertEqual(self.table.deletes, [])
        self.bus.took("1")
        self.assertEqual(self.table.deletes, [["1"]])
        self.assertEqual((self.outbox.published, self.outbox.in_flight), (1, 0))

    def test_one_delete_takes_all_that_was_published_meanwhile(self) -> None:
        self.table.hold_delete = held = Deferred()
        self.send("1", "2", "3", "4")
        self.bus.took("1", "2", "3")
        self.assertEqual(self.table.deletes, [["1"]])
        self.table.hold_delete = None
        held.callback(None)
        self.assertEqual(self.table.deletes, [["1"], ["2", "3"]])
        self.bus.took("4")
        self.assertEqual(self.table.deletes, [["1"], ["2", "3"], ["4"]])

    def test_the_row_of_an_event_in_parts_goes_when_all_are_stored(self) -> None:
        self.outbox.send_parts("1", [("a", b"A"), ("b", b"B")])
        self.assertEqual(self.bus.published, [("a", b"A", "1"), ("b", b"B", "1.1")])
        self.bus.took("1.1")
        self.assertEqual(self.table.deletes, [])
        self.bus.took("1")
        self.assertEqual(self.table.deletes, [["1"]])

    def test_the_row_stays_where_a_part_was_not_taken(self) -> None:
        self.outbox.send_parts("1", [("a", b"A"), ("b", b"B")])
        self.bus.fail("1", BusAway("away"))
        self.assertEqual(self.outbox.in_flight, 1)
        self.bus.took("1.1")
        self.assertEqual((self.table.deletes, self.outbox.in_flight), ([], 0))

    def test_the_row_of_an_event_that_concerns_nobody_goes_at_once_if_that_can_be_known(self) -> None:
        self.outbox.send_parts("1", [])
        self.assertEqual((self.bus.published, self.table.deletes), ([], [["1"]]))
        self.bus.connected = False
        self.outbox.send_parts("2", [])
        self.assertEqual(self.table.deletes, [["1"]])

    def test_an_event_on_its_way_is_not_sent_again(self) -> None:
        self.send("1", "1")
        self.assertEqual(self.bus.ids, ["1"])

    def test_while_the_bus_is_away_events_wait_in_the_table(self) -> None:
        self.bus.connected = False
        self.send("1")
        self.assertEqual((self.bus.published, self.outbox.in_flight), ([], 0))

    def test_what_the_bus_does_not_store_is_told_at_once_and_relayed_when_it_does(self) -> None:
        """So a cluster of NATS without a majority delivers, and nothing waits for it."""
        self.bus.connected = False
        self.send("1")
        self.assertEqual((self.bus.published, self.bus.told), ([], [("subject", b"1", "1")]))
        self.table.left = [("1", "subject", b"1")]
        self.clock.advance(1)
        self.assertEqual((self.bus.published, len(self.bus.told)), ([], 1))
        self.bus.connected = True
        self.clock.advance(1)
        self.assertEqual((self.bus.ids, len(self.bus.told)), (["1"], 1))

    def test_while_the_bus_goes_to_another_server_events_go_with_it(self) -> None:
        self.bus.connected, self.bus.moving = False, True
        self.send("1")
        self.assertEqual((self.bus.ids, self.bus.told), (["1"], []))

    def test_what_is_beyond_the_bound_is_told_all_the_same(self) -> None:
        self.send(*[str(number) for number in range(IN_FLIGHT)])
        self.send("beyond")
        self.assertEqual(self.bus.told, [("subject", b"beyond", "beyond")])

    def test_an_event_that_was_not_taken_keeps_its_row(self) -> None:
        self.send("1", "2")
        self.bus.fail("1", BusAway("no answer"))
        self.bus.took("2")
        self.assertEqual(self.table.deletes, [["2"]])
        self.assertEqual((self.outbox.published, self.outbox.in_flight), (1, 0))

    def test_any_other_failure_keeps_the_row_too_and_is_no_surprise_to_anyone(self) -> None:
        self.send("1", "2")
        self.bus.fail("1", CancelledError())  # the bus lets go of what was on its way when it stops
        self.bus.fail("2", RuntimeError("a bug in the client"))
        self.assertEqual(self.table.deletes, [])
        self.assertEqual(self.outbox.in_flight, 0)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_what_is_on_its_way_is_bounded(self) -> None:
        events = [str(number) for number in range(IN_FLIGHT + 5)]
        self.send(*events)
        self.assertEqual(self.bus.ids, events[:IN_FLIGHT])
        self.bus.took("0")
        self.send(events[-1])
        self.assertEqual(self.bus.ids[-1], events[-1])

    # rows that stay

    def test_a_delete_that_fails_leaves_the_rows_to_the_relay(self) -> None:
        self.table.left = [("1", "subject", b"1")]
        self.table.delete_error = unavailable("The database went away.")
        self.send("1")
        self.bus.took("1")
        self.table.delete_error = None
        self.clock.advance(1)
        self.assertEqual(self.bus.ids, ["1", "1"])  # JetStream drops the second by its id
        self.bus.took("1")
        self.assertEqual(self.table.left, [])

    def test_a_delete_that_fails_unforeseen_does_not_stop_later_ones(self) -> None:
        self.table.delete_error = RuntimeError("a bug in the statement")
        self.send("1")
        self.bus.took("1")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.table.delete_error = None
        self.send("2")
        self.bus.took("2")
        self.assertEqual(self.table.deletes[-1], ["2"])

    # the relay of the only instance

    def alone(self) -> None:
        self.successResultOf(ensureDeferred(self.outbox.stop()))
        self.outbox = Outbox(self.clock, self.table, self.bus, "auth", alone=True)  # type: ignore[arg-type]
        self.successResultOf(ensureDeferred(self.outbox.start()))
        self.clock.advance(1)
        self.table.reads.clear()

    def looks(self, seconds: int) -> int:
        before = len(self.table.reads)
        self.clock.pump([1] * seconds)
        return len(self.table.reads) - before

    def test_the_only_instance_looks_less_often_for_what_others_left(self) -> None:
        self.alone()
        self.assertEqual(self.looks(20), 4)
        self.table.left = [("1", "s", b"")]
        self.looks(5)
        self.assertEqual(self.bus.ids, ["1"])

    def test_the_only_instance_looks_each_second_while_something_of_its_own_waits(self) -> None:
        self.alone()
        self.send("1")
        self.assertLess(self.looks(4), 4)  # on its way
        self.bus.fail("1", BusAway("no answer"))
        self.assertEqual(self.looks(4), 4)
        self.looks(10)
        self.assertEqual(self.looks(10), 2)
        self.bus.connected = False
        self.send("2")
        self.assertEqual(self.looks(4), 4)

    def test_the_only_instance_looks_where_a_commit_may_have_been_lost_or_the_table_is_not_read(self) -> None:
        self.alone()
        self.table.lost += 1
        self.assertEqual(self.looks(4), 4)
        self.looks(10)
        self.table.read_error = unavailable("The database is away.")
        self.looks(5)
        self.assertEqual(self.looks(4), 4)

    # the relay

    def test_what_others_left_is_relayed_and_deleted(self) -> None:
        self.table.left = [("1", "a", b"x"), ("2", "b", b"y")]
        self.clock.advance(0.9)
        self.assertEqual(self.bus.published, [])
        self.clock.advance(0.1)
        self.assertEqual(self.bus.published, [("a", b"x", "1"), ("b", b"y", "2")])
        self.bus.took("1", "2")
        self.assertEqual(self.table.left, [])
        self.assertEqual(self.outbox.oldest, 7.5)
        self.clock.advance(1)
        self.assertEqual(len(self.bus.published), 2)
        self.assertEqual(self.outbox.oldest, 0.0)

    def test_a_long_queue_is_relayed_in_batches(self) -> None:
        self.bus.at_once = True
        self.table.left = [(str(number), "s", b"") for number in range(2 * RELAY_BATCH + 1)]
        for left in (RELAY_BATCH + 1, 1, 0):
            self.clock.advance(1)
            self.assertEqual(len(self.table.left), left)
        self.assertEqual(set(self.table.reads), {RELAY_BATCH})
        self.assertEqual(self.bus.ids, [str(number) for number in range(2 * RELAY_BATCH + 1)])

    def test_a_slow_read_is_not_doubled(self) -> None:
        self.table.hold_read = held = Deferred()
        self.clock.pump([1] * 5)
        self.assertEqual(len(self.table.reads), 1)
        held.callback(None)
        self.table.hold_read = None
        self.clock.advance(1)
        self.assertEqual(len(self.table.reads), 2)

    def test_the_relay_waits_for_the_bus(self) -> None:
        self.table.left = [("1", "s", b"")]
        self.bus.connected = False
        self.clock.advance(1)
        self.assertEqual(self.bus.published, [])
        self.bus.connected = True
        self.clock.advance(1)
        self.assertEqual(self.bus.ids, ["1"])

    def test_the_relay_outlives_a_database_that_is_away(self) -> None:
        self.table.left = [("1", "s", b"")]
        self.table.read_error = unavailable("The database is away.")
        self.clock.advance(1)
        self.table.read_error = None
        self.clock.advance(1)
        self.assertEqual(self.bus.ids, ["1"])

    def test_the_relay_outlives_what_nobody_foresaw(self) -> None:
        self.table.left = [("1", "s", b"")]
        self.table.read_error = RuntimeError("permission denied")
        self.clock.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.table.read_error = None
        self.clock.advance(1)
        self.assertEqual(self.bus.ids, ["1"])

    # stop

    def test_stop_waits_for_what_is_on_its_way_and_for_its_delete(self) -> None:
        self.table.hold_delete = held = Deferred()
        self.send("1", "2")
        stopped = ensureDeferred(self.outbox.stop())
        self.bus.took("1")
        self.bus.took("2")
        self.assertNoResult(stopped)
        held.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.table.deletes, [["1"], ["2"]])

    def test_stop_with_nothing_to_wait_for(self) -> None:
        self.successResultOf(ensureDeferred(self.outbox.stop()))
        self.table.left = [("1", "s", b"")]
        self.clock.pump([1] * 5)
        self.assertEqual((self.table.reads, self.clock.getDelayedCalls()), ([], []))

    def test_stop_while_events_fail(self) -> None:
        self.send("1")
        stopped = ensureDeferred(self.outbox.stop())
        self.bus.fail("1", BusAway("gone"))
        self.successResultOf(stopped)

    def test_what_the_relay_reads_during_the_stop_stays(self) -> None:
        """The bus stops next: what was sent now would only be lost on its way."""
        self.table.left = [("1", "s", b"")]
        self.table.hold_read = held = Deferred()
        self.clock.advance(1)
        stopped = ensureDeferred(self.outbox.stop())
        self.assertNoResult(stopped)
        held.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.bus.published, [])

    # recording

    def test_events_are_recorded_by_one_statement_and_published_as_they_were_recorded(self) -> None:
        tx = Statements()
        given: list[Event] = [UserDeleted(user_id="u"), UserRemoval(user_id="u")]
        outgoing: list[Outgoing] = self.successResultOf(ensureDeferred(record(tx, given)))  # type: ignore[arg-type]
        self.assertEqual([one.event for one in outgoing], given)
        ((sql, (ids, subjects, payloads)),) = tx.wrote
        self.assertIn("insert into auth.outbox", sql)
        self.assertEqual(ids, [one.event_id for one in outgoing])
        self.assertEqual(len(set(ids)), 2)
        self.outbox.publish(outgoing)
        published = [(subject, payload, event_id) for subject, payload, event_id in self.bus.published]
        self.assertEqual(published, list(zip(subjects, payloads, ids, strict=True)))

    def test_where_nothing_happened_nothing_is_written(self) -> None:
        tx = Statements()
        self.assertEqual(self.successResultOf(ensureDeferred(record(tx, []))), [])  # type: ignore[arg-type]
        self.assertEqual(tx.wrote, [])
