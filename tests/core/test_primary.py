"""Which of several hosts is the primary, and what a change of the database's history does to a pool."""

from typing import Any

from psycopg2 import OperationalError
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.database import connections
from messenger.core.database.connection import Lost
from messenger.core.database.pool import Database
from messenger.core.database.primary import History, Hosts, ReadOnly, Unreachable
from messenger.core.database.refusals import NoPrimary
from messenger.core.hosts import HEAD_START, Recent, hosts_of
from messenger.core.http.system import readiness
from messenger.core.settings import DatabaseSettings
from messenger.wire.errors import Problem

OLD, NEW = History("7", "00000001"), History("7", "00000002")


class Tries:
    """What is tried, by the host's name."""

    def __init__(self) -> None:
        self.running: dict[str, Deferred[Any]] = {}
        self.begun: list[str] = []
        self.cancelled: list[str] = []

    async def __call__(self, host: Any) -> Any:
        self.begun.append(host.name)
        waiting: Deferred[Any] = Deferred()
        self.running[host.name] = waiting
        try:
            return await waiting
        except CancelledError:
            self.cancelled.append(host.name)
            raise

    def fails(self, name: str, error: Exception) -> None:
        self.running.pop(name).errback(error)

    def answers(self, name: str) -> object:
        answer = Ended()
        self.running.pop(name).callback(answer)
        return answer


class Ended:
    """A connection that is ended, or is not."""

    def __init__(self) -> None:
        self.ended = False

    def end(self) -> None:
        self.ended = True


class RaceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.tries = Tries()
        self.recent = Recent()
        self.hosts = Hosts(self.clock, hosts_of("a,b,c", 1), self.recent)

    def begin(self) -> Deferred[Any]:
        return ensureDeferred(self.hosts.connect(self.tries))

    def test_the_first_alone_while_it_may_answer(self) -> None:
        connecting = self.begin()
        self.clock.advance(HEAD_START / 2)
        self.assertEqual(self.tries.begun, ["a"])
        found = self.tries.answers("a")
        self.assertIs(self.successResultOf(connecting), found)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_next_at_once_where_one_refuses(self) -> None:
        connecting = self.begin()
        self.tries.fails("a", OperationalError("refused"))
        self.tries.fails("b", ReadOnly("it is a standby"))
        found = self.tries.answers("c")
        self.assertIs(self.successResultOf(connecting), found)
        self.assertEqual(self.tries.begun, ["a", "b", "c"])

    def test_a_silent_host_holds_up_nobody(self) -> None:
        connecting = self.begin()
        self.clock.advance(HEAD_START)
        found = self.tries.answers("b")
        self.assertIs(self.successResultOf(connecting), found)
        self.assertEqual((self.tries.begun, self.tries.cancelled), (["a", "b"], ["a"]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_was_the_primary_is_tried_first(self) -> None:
        connecting = self.begin()
        self.tries.fails("a", OperationalError("refused"))
        self.tries.answers("b")
        self.successResultOf(connecting)
        self.tries.begun.clear()
        self.begin()
        self.assertEqual(self.tries.begun, ["b"])

    def test_what_one_pool_has_found_the_others_of_the_process_need_not_look_for(self) -> None:
        connecting = self.begin()
        self.clock.advance(HEAD_START)
        self.tries.answers("b")
        self.successResultOf(connecting)
        self.tries.begun.clear()
        other = Hosts(self.clock, hosts_of("a,b,c", 1), self.recent)
        ensureDeferred(other.connect(self.tries))
        self.clock.advance(HEAD_START)
        self.assertEqual(self.tries.begun, ["b", "a"])

    def test_what_each_said_where_none_serves(self) -> None:
        connecting = self.begin()
        self.tries.fails("a", TimeoutError("no answer within 5 s"))
        self.tries.fails("b", ReadOnly("it is a standby"))
        self.tries.fails("c", OperationalError("FATAL:  password authentication failed"))
        error = self.failureResultOf(connecting, Unreachable).value
        self.assertEqual((error.read_only, error.refused), (True, True))
        for words in ("a:1: no answer within 5 s", "b:1: it is a standby", "c:1: FATAL"):
            self.assertIn(words, str(error))

    def test_who_is_told_to_stop_leaves_nothing_behind(self) -> None:
        connecting = self.begin()
        self.clock.advance(HEAD_START)
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.assertEqual((self.tries.cancelled, self.clock.getDelayedCalls()), (["a", "b"], []))

    def test_a_bug_is_no_host_that_is_away(self) -> None:
        connecting = self.begin()
        self.tries.fails("a", ZeroDivisionError())
        self.failureResultOf(connecting, ZeroDivisionError)


class Server:
    """PostgreSQL as `Connections` sees it: each connection is to the history that stands, or is refused."""

    def __init__(self, case: SynchronousTestCase, text: str = "a") -> None:
        self.clock = Clock()
        self.history: History | None = OLD
        self.made: list[Any] = []
        case.patch(connections, "Connection", self._connection)
        case.patch(connections, "history_of", self._history_of)
        self.database = Database(
            self.clock, DatabaseSettings(host=text, connections=2, wait=1.0), "message", "secret", "0001"
        )
        self.pool = self.database._connections

    def _connection(self, _reactor: object, lost: Any) -> Any:
        self.made.append(Fake(self, lost))
        return self.made[-1]

    async def _history_of(self, connection: Any) -> History:
        if connection.ended:
            raise Lost()
        if self.history is None:
            raise ReadOnly("it is a standby")
        return self.history

    def start(self, case: SynchronousTestCase) -> None:
        case.successResultOf(ensureDeferred(self.pool.start()))
        self.pool.fill()

    @property
    def standing(self) -> list[Any]:
        return [one for one in self.made if not one.ended]


class Fake:
    """A connection."""

    def __init__(self, server: Server, lost: Any) -> None:
        self._server = server
        self._lost = lost
        self.history: History | None = None
        self.pooled = True
        self.asked: float | None = None
        self.answered = 0.0
        self.ended = False
        self.at_rest = True
        self.said: list[str] = []

    async def connect(self, **_arguments: object) -> None:
        pass

    async def run(self, sql: str, _parameters: object) -> tuple[list[tuple[str]], int]:
        if self.ended:
            raise Lost()
        self.said.append(sql)
        return [(sql,)], 1

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            self._lost(self)

    def give_up(self) -> None:
        self.ended = True


class EpochTests(SynchronousTestCase):
    def test_another_history_ends_all_connections_to_the_former_one_and_is_told_first(self) -> None:
        server = Server(self)
        told: list[tuple[str, set[History | None]]] = []
        server.database.on_epoch(
            lambda: told.append((server.database.epoch, {one.history for one in server.pool.leases.all}))
        )
        server.start(self)
        before = server.database.epoch
        self.assertEqual((len(server.standing), told), (2, []))
        server.history = NEW
        server.standing[0].end()
        server.clock.advance(0)
        self.assertNotEqual(server.database.epoch, before)
        # Nobody could be served from the new one when it was told of.
        self.assertEqual(told, [(server.database.epoch, {OLD})])
        self.assertEqual({one.history for one in server.standing}, {NEW})
        self.assertEqual((len(server.standing), server.database.failovers), (2, 1))

    def test_a_replaced_primary_that_does_not_know_it_gets_nothing(self) -> None:
        server = Server(self)
        server.history = NEW
        server.start(self)
        server.history = OLD
        for one in server.standing:
            one.end()
        server.clock.advance(5)
        self.assertEqual((server.database.open, server.database.epoch), (0, NEW.word))
        server.history = NEW
        server.clock.advance(5)
        self.assertEqual((server.database.open, server.database.failovers), (2, 0))

    def test_a_server_behind_a_pooler_is_looked_at(self) -> None:
        server = Server(self)
        server.start(self)
        server.history = NEW
        self.successResultOf(ensureDeferred(server.database.read("select")))
        server.clock.advance(connections.WATCH_SECONDS)
        server.clock.advance(0)
        self.assertEqual((server.database.epoch, server.database.failovers), (NEW.word, 1))
        self.assertEqual({one.history for one in server.standing}, {NEW})
        server.history = None
        for _ in range(2):
            self.successResultOf(ensureDeferred(server.database.read("select")))
            server.clock.advance(connections.WATCH_SECONDS)
        self.assertEqual(server.database.open, 0)

    def test_a_server_that_is_reached_directly_is_not(self) -> None:
        # It can't be replaced under a connection that stands.
        server = Server(self)
        server.start(self)
        for one in server.standing:
            one.pooled = False
        server.history = NEW
        self.successResultOf(ensureDeferred(server.database.read("select")))
        server.clock.advance(connections.WATCH_SECONDS)
        self.assertEqual((server.database.epoch, server.database.failovers), (OLD.word, 0))

    def test_a_connection_that_comes_back_broken_is_replaced(self) -> None:
        server = Server(self)
        server.start(self)
        lent: Any = self.successResultOf(ensureDeferred(server.pool.take()))
        lent.at_rest = False
        server.pool.leases.give_back(lent)
        self.assertTrue(lent.ended)
        self.assertEqual((server.database.open, server.database.lost), (2, 1))

    def test_one_that_is_given_back_before_its_end_is_told_is_replaced(self) -> None:
        # As a connection does it whose server dies: who waits for an answer hears of it first.
        server = Server(self)
        server.start(self)
        lent: Any = self.successResultOf(ensureDeferred(server.pool.take()))
        lent.ended = True
        server.pool.leases.give_back(lent)
        lent._lost(lent)
        self.assertEqual((server.database.open, server.database.lost), (2, 1))

    def test_ready_says_that_only_a_standby_answers(self) -> None:
        server = Server(self)
        server.start(self)
        server.history = None
        for one in server.standing:
            one.end()
        server.clock.advance(1)
        checking = ensureDeferred(readiness(server.clock, {"postgresql": server.database.check}))  # type: ignore[arg-type]
        found = self.successResultOf(checking)
        self.assertEqual((found.ready, found.checks), (False, {"postgresql": NoPrimary.state}))

    def test_what_was_meant_for_the_former_history_is_not_written_into_the_new_one(self) -> None:
        server = Server(self)
        server.start(self)
        before = server.database.epoch
        server.history = None
        for one in server.standing:
            one.end()
        writing = ensureDeferred(server.database.write("update", epoch=before))
        anyway = ensureDeferred(server.database.write("insert"))
        self.assertNoResult(writing)
        server.history = NEW
        server.clock.advance(1)
        server.clock.advance(0)
        self.failureResultOf(writing, Problem)
        self.assertEqual(self.successResultOf(anyway), [("insert",)])
        self.assertEqual([sql for one in server.made for sql in one.said], ["insert"])

    def test_words_differ_and_say_nothing(self) -> None:
        words = {OLD.word, NEW.word, History("8", "00000001").word, History("", "").word}
        self.assertEqual(len(words), 4)
        self.assertEqual({len(one) for one in words}, {16})
