"""Sessions that have ended: refused at once, and looked for where the bus may not have told."""

import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from messenger.wire.errors import Code, Problem, unavailable
from messenger.wire.events import SessionEnded
from tests.core.token_world import DEVICE, GOOD, KID, OTHER, OURS, SESSION, USER, World, raw_public, token


@pytest.fixture
def world() -> World:
    return World().start()


def test_an_ended_session_is_refused_at_once(world: World) -> None:
    world.identify(GOOD)
    world.bus.ended(SESSION)
    assert world.refusal(GOOD) is Code.unauthorized
    assert world.refusal(token(jti="another of the session")) is Code.unauthorized
    assert world.identify(token(sid=OTHER)).session_id == OTHER
    assert world.heard == [SESSION]


def test_an_end_is_told_once(world: World) -> None:
    world.bus.ended(SESSION)
    world.bus.ended(SESSION)
    assert world.heard == [SESSION]


def test_sessions_that_had_ended_before_the_start() -> None:
    world = World()
    world.views.ended = [(SESSION, USER, DEVICE)]
    world.start()
    assert world.refusal(GOOD) is Code.unauthorized


def test_an_ended_session_is_forgotten_when_its_last_token_has_expired(world: World) -> None:
    world.bus.ended(SESSION)
    world.clock.advance(899)
    world.bus.ended(OTHER)
    assert len(world.tokens._ended) == 2
    world.clock.advance(2)
    world.bus.ended(DEVICE)  # the next one that ends takes the place
    assert list(world.tokens._ended) == [OTHER, DEVICE]
    assert world.refusal(GOOD) is Code.token_expired


def test_while_the_bus_is_away_the_view_is_read_each_second(world: World) -> None:
    reads = world.views.ended_reads
    world.clock.pump([1] * 5)
    assert world.views.ended_reads == reads
    world.bus.connected = False
    world.views.ended = [(SESSION, USER, DEVICE)]
    world.clock.advance(1)
    assert world.views.ended_reads == reads + 1
    assert world.refusal(GOOD) is Code.unauthorized
    world.clock.pump([1] * 3)
    assert world.views.ended_reads == reads + 4


def test_while_the_bus_is_there_nothing_is_to_be_done(world: World) -> None:
    assert world.clock.getDelayedCalls() == []
    world.bus.connected = False
    world.clock.pump([1] * 3)
    assert world.clock.getDelayedCalls() != []
    world.bus.connected = True
    world.clock.pump([1] * 3)
    assert world.clock.getDelayedCalls() == []


def test_a_bus_that_is_away_at_the_start(world: World) -> None:
    world = World()
    world.bus.connected = False
    world.start()
    reads = world.views.ended_reads
    world.clock.pump([1] * 3)
    assert world.views.ended_reads == reads + 3


def test_after_a_gap_the_view_is_read_once(world: World) -> None:
    reads = world.views.ended_reads
    world.bus.gap[0]()
    world.views.ended = [(SESSION, USER, DEVICE)]
    world.clock.pump([1] * 5)
    assert world.views.ended_reads == reads + 1
    assert world.heard == [SESSION]


def test_a_gap_during_the_read_makes_another(world: World) -> None:
    world.bus.gap[0]()
    world.views.hold = held = Deferred()
    world.clock.advance(1)
    world.bus.gap[0]()
    world.views.ended = [(SESSION, USER, DEVICE)]  # too late for the read that is under way
    held.callback(None)
    world.views.hold = None
    world.clock.advance(1)
    assert world.heard == [SESSION]


class PollingTests(SynchronousTestCase):
    """What fails on the way must not end the polling: sessions would live on for as long as NATS is away."""

    def setUp(self) -> None:
        self.world = World().start()
        self.world.bus.connected = False

    def test_a_database_that_is_away(self) -> None:
        self.world.views.error = unavailable("The database is away.")
        self.world.clock.pump([1] * 3)
        self.world.views.error = None
        self.world.bus.ended(SESSION)
        self.assertEqual(self.world.heard, [SESSION])

    def test_a_gap_is_not_forgotten_while_the_database_is_away(self) -> None:
        self.world.bus.connected = True
        self.world.bus.gap[0]()
        self.world.views.error = unavailable("The database is away.")
        self.world.clock.advance(1)
        self.world.views.error = None
        self.world.views.ended = [(SESSION, USER, DEVICE)]
        self.world.clock.advance(1)
        self.assertEqual(self.world.heard, [SESSION])

    def test_what_nobody_foresaw(self) -> None:
        self.world.views.error = RuntimeError("permission denied")
        self.world.clock.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.world.views.error = None
        self.world.views.ended = [(SESSION, USER, DEVICE)]
        self.world.clock.advance(1)
        self.assertEqual(self.world.heard, [SESSION])

    def test_a_listener_that_fails_does_not_keep_the_others(self) -> None:
        later: list[str] = []

        def fail(event: SessionEnded) -> None:
            raise RuntimeError("a bug in a listener")

        self.world.tokens.on_ended(fail)
        self.world.tokens.on_ended(lambda event: later.append(event.session_id))
        self.world.views.ended = [(SESSION, USER, DEVICE), (OTHER, USER, DEVICE)]
        self.world.clock.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.assertEqual((self.world.heard, later), ([SESSION, OTHER], [SESSION, OTHER]))

    def test_stop(self) -> None:
        answer: list[object] = []
        ensureDeferred(self.world.tokens.stop()).addBoth(answer.append)
        self.assertEqual(answer, [None])
        self.assertEqual(self.world.clock.getDelayedCalls(), [])


class StartTests(SynchronousTestCase):
    def test_a_key_that_is_none_leaves_the_others(self) -> None:
        world = World()
        world.views.keys = [("short", b"\x00"), (KID, raw_public(OURS))]
        world.start()
        self.assertEqual(world.identify(GOOD).user_id, USER)

    def test_start_says_when_the_views_can_not_be_read(self) -> None:
        world = World()
        world.views.error = unavailable("The database is away.")
        self.failureResultOf(ensureDeferred(world.tokens.start()), Problem)
