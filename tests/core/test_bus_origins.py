"""Who misses an event knows it, whatever the bus loses, repeats and reorders, and whoever dies."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from hypothesis.strategies import booleans, data, integers, sampled_from

from messenger.core.bus.origins import (
    ANNOUNCE_SECONDS,
    EARLY,
    GRACE_SECONDS,
    SILENCE_SECONDS,
    Origin,
    Origins,
)
from messenger.wire.events import Announced

SUBJECTS = ("heads", "batch")


def heard(origins: Origins, header: str, subject: str = "heads", now: float = 0.0) -> None:
    origins.heard(header, subject, now)


def test_what_comes_in_line_is_not_missed() -> None:
    origin, origins = Origin(), Origins("me", SUBJECTS)
    for _ in range(5):
        heard(origins, origin.next("heads"))
        heard(origins, origin.next("batch"), "batch")
    origins.announced(origin.announcement(), 0.0)
    assert not origins.missed(GRACE_SECONDS + 1)


def test_a_jump_is_a_miss_after_a_moment_and_once() -> None:
    origin, origins = Origin(), Origins("me", SUBJECTS)
    first, _, third = (origin.next("heads") for _ in range(3))
    heard(origins, first)
    heard(origins, third)
    assert not origins.missed(GRACE_SECONDS / 2)
    assert origins.missed(GRACE_SECONDS)
    assert not origins.missed(2 * GRACE_SECONDS)


def test_events_may_overtake_each_other_and_come_twice() -> None:
    origin, origins = Origin(), Origins("me", SUBJECTS)
    headers = [origin.next("heads") for _ in range(4)]
    for position in (1, 0, 3, 1, 2, 3):
        heard(origins, headers[position])
    assert not origins.missed(GRACE_SECONDS + 1)


def test_the_last_one_is_missed_by_what_is_announced() -> None:
    origin, origins = Origin(), Origins("me", SUBJECTS)
    heard(origins, origin.next("heads"))
    origin.next("heads")
    origins.announced(origin.announcement(), 1.0)
    assert not origins.missed(1.0)
    assert origins.missed(1.0 + GRACE_SECONDS)


def test_who_falls_silent_may_have_said_more() -> None:
    origin, origins = Origin(), Origins("me", SUBJECTS)
    heard(origins, origin.next("heads"))
    assert not origins.missed(SILENCE_SECONDS - 1)
    assert origins.missed(SILENCE_SECONDS)
    assert not origins.missed(2 * SILENCE_SECONDS)


def test_who_stops_and_says_so_is_missed_by_nobody() -> None:
    origin, origins = Origin(), Origins("me", SUBJECTS)
    heard(origins, origin.next("heads"))
    origins.announced(origin.announcement(last=True), 0.0)
    assert not origins.missed(2 * GRACE_SECONDS)
    assert not origins.missed(SILENCE_SECONDS)


def test_where_nobody_can_be_heard_nobody_is_silent() -> None:
    origin, origins = Origin(), Origins("me", SUBJECTS)
    heard(origins, origin.next("heads"))
    origins.deaf(SILENCE_SECONDS)
    assert not origins.missed(SILENCE_SECONDS)


def test_who_is_new_here_and_old_in_years_is_looked_at_once() -> None:
    origin, origins = Origin(), Origins("me", SUBJECTS)
    for _ in range(9):
        origin.next("heads")
    heard(origins, origin.next("heads"))
    assert origins.missed(GRACE_SECONDS)
    heard(origins, origin.next("heads"), now=GRACE_SECONDS)
    assert not origins.missed(3 * GRACE_SECONDS)


def test_what_is_not_listened_to_is_not_missed() -> None:
    origin, origins = Origin(), Origins("me", ("heads",))
    origin.next("batch")
    origins.announced(origin.announcement(), 0.0)
    assert not origins.missed(GRACE_SECONDS)


def test_ones_own_events_are_not_counted() -> None:
    origin = Origin()
    origins = Origins(origin.name, SUBJECTS)
    origin.next("heads")
    heard(origins, origin.next("heads"))
    origins.announced(origin.announcement(), 0.0)
    assert not origins.missed(SILENCE_SECONDS)


def test_headers_of_others_are_passed_over() -> None:
    origins = Origins("me", SUBJECTS)
    for header in (None, "", "x", "x y", "x -1", "x ²"):
        origins.heard(header, "heads", 0.0)
    assert not origins.missed(SILENCE_SECONDS)


def test_what_waits_for_a_missing_one_is_bounded() -> None:
    origin, origins = Origin(), Origins("me", SUBJECTS)
    origin.next("heads")
    for _ in range(EARLY + 1):
        heard(origins, origin.next("heads"))
    assert origins.missed(0.0)


@dataclass
class Sent:
    """An event under way, or an announcement."""

    header: str = ""
    subject: str = ""
    said: Announced | None = None
    heard: bool = False


@dataclass
class Instance:
    """Another instance, and when what it sent last was lost."""

    origin: Origin = field(default_factory=Origin)
    announced: float = 0.0


class Missing(RuleBasedStateMachine):
    """Two origins, a bus, and one who listens: who lost anything looks after that, who did not never does.

    An origin's first announcement, at its start, arrives: who was never heard of is missed by nobody.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.origins = Origins("me", SUBJECTS)
        self.others = [self.born(), self.born()]
        self.bus: list[Sent] = []
        self.lost = False  # something was, and nobody has looked since
        self.spotless = True  # nothing was lost, and nobody died

    def born(self) -> Instance:
        instance = Instance(announced=self.now)
        self.origins.announced(instance.origin.announcement(), self.now)
        return instance

    @rule(which=integers(0, 1), subject=sampled_from(SUBJECTS))
    def publish(self, which: int, subject: str) -> None:
        self.bus.append(Sent(self.others[which].origin.next(subject), subject))

    @precondition(lambda self: self.bus)
    @rule(choice=data(), again=booleans())
    def arrive(self, choice: Any, again: bool) -> None:
        position = choice.draw(integers(0, len(self.bus) - 1))
        sent = self.bus[position] if again else self.bus.pop(position)
        self.deliver(sent)

    def deliver(self, sent: Sent) -> None:
        sent.heard = True
        if sent.said is not None:
            self.origins.announced(sent.said, self.now)
        else:
            self.origins.heard(sent.header, sent.subject, self.now)

    @precondition(lambda self: self.bus)
    @rule(choice=data())
    def lose(self, choice: Any) -> None:
        sent = self.bus.pop(choice.draw(integers(0, len(self.bus) - 1)))
        if not sent.heard:
            self.lost, self.spotless = sent.said is None or self.lost, False

    @rule(which=integers(0, 1), says_so=booleans())
    def die(self, which: int, says_so: bool) -> None:
        """It comes back under a new name."""
        if says_so:
            said = self.others[which].origin.announcement(last=True)
            self.bus.append(Sent(said=said))
        else:
            self.spotless = False
        self.others[which] = self.born()

    @rule()
    def wait(self) -> None:
        """A second, in which all that is under way arrives."""
        for sent in self.bus:
            self.deliver(sent)
        self.bus.clear()
        self.now += 1.0
        for one in self.others:
            if self.now - one.announced >= ANNOUNCE_SECONDS:
                one.announced = self.now
                self.origins.announced(one.origin.announcement(), self.now)
        if self.origins.missed(self.now):
            assert not self.spotless, "nothing was missed"
            self.lost = False

    def teardown(self) -> None:
        for _ in range(int(SILENCE_SECONDS + ANNOUNCE_SECONDS + GRACE_SECONDS) + 2):
            self.wait()
        assert not self.lost


Missing.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestMissing = Missing.TestCase
