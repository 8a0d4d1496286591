"""To whom an event goes, and that nothing goes past who wants it, unnoticed; nothing is sent anywhere."""

from msgspec.structs import replace
from twisted.internet.task import Clock

from messenger.core.bus.origins import GRACE_SECONDS, Origin, Origins
from messenger.core.bus.routes import YOUTH_SECONDS, Routes
from messenger.wire.events import Announced, Noted
from messenger.wire.shards import ALL, SHARDS, shard_of, shards_of

BATCH = "messenger.news.batch"


class One:
    """An instance's part in this, on a clock that is set by hand."""

    def __init__(self, clock: Clock, shards: int = 0) -> None:
        self.clock = clock
        self.origin = Origin()
        self.routes = Routes(self.origin, clock.seconds)
        self.subject = self.routes.on(BATCH)
        self.origins = Origins(self.origin.name, {BATCH, self.subject})
        self.routes.want(shards)

    def announce(self, *others: "One", last: bool = False) -> None:
        """Those hear it, and answer."""
        said = self.routes.announcement(last=last)
        for other in others:
            other.hear(said, self)

    def hear(self, said: Announced, whose: "One | None" = None) -> Noted | None:
        self.origins.announced(said, self.clock.seconds())
        noted = self.routes.announced(said)
        if noted is not None and whose is not None:
            whose.routes.noted(noted)
        return noted

    def goes(self, shards: int | None) -> list[str]:
        return [subject for subject, _ in self.routes.split(BATCH, ["x"], lambda _: shards)]

    def missed(self) -> bool:
        """Whether it knows that it has missed something, seconds later."""
        self.clock.advance(GRACE_SECONDS)
        return any([self.origins.missed(self.clock.seconds()), self.routes.missed()])


def acquainted(*shards: int) -> list[One]:
    """Instances that want these, know each other, and are no longer new."""
    clock = Clock()
    ones = [One(clock, wanted) for wanted in shards]
    for _ in range(2):
        for one in ones:
            one.announce(*(other for other in ones if other is not one))
    clock.advance(YOUTH_SECONDS)
    for one in ones:
        assert not one.missed()
    return ones


def test_shards_are_the_same_everywhere_and_for_ever() -> None:
    assert shard_of("3f6c2c1e-0000-7000-8000-000000000000") == 62
    assert shards_of([]) == 0
    assert shards_of(["ann", "ben", "ann"]) == 1 << shard_of("ann") | 1 << shard_of("ben")
    assert ALL.bit_length() == SHARDS


def test_an_event_goes_to_those_who_want_it_and_to_nobody_else() -> None:
    one, two, three, four = acquainted(0b0001, 0b0010, 0b0100, 0b0100)
    assert one.goes(0b0010) == [two.subject]
    assert one.goes(0b0101) == [three.subject, four.subject]
    assert one.goes(0b1001) == []
    assert one.goes(None) == [BATCH]
    items = {"a": 0b0011, "b": 0b0100, "c": 0b0010, "d": ALL}
    assert one.routes.split(BATCH, [], items.get) == []
    assert dict(one.routes.split(BATCH, list(items), items.get)) == {
        two.subject: ["a", "c"],
        three.subject: ["b"],
        four.subject: ["b"],
        BATCH: ["d"],
    }


def test_what_most_instances_want_is_one_event_for_all() -> None:
    one, *_ = acquainted(*[0b1] * 5, *[0b10] * 3)
    assert len(one.goes(0b1)) == 4
    assert len(one.goes(0b10)) == 3
    assert one.goes(0b11) == [BATCH]


def test_who_is_alone_tells_all_and_who_is_new_too() -> None:
    (one,) = acquainted(0b1)
    assert one.goes(0b10) == [BATCH]
    two = One(one.clock, 0b10)
    assert two.goes(0b100) == [BATCH]
    one.announce(two)
    two.announce(one)
    assert two.goes(0b1) == [BATCH]
    one.clock.advance(YOUTH_SECONDS)
    assert two.goes(0b100) == []
    assert two.goes(0b1) == [one.subject]


def test_another_shard_is_known_once_all_have_said_so() -> None:
    one, two, three = acquainted(0b1, 0b10, 0b100)
    version = one.routes.want(0b1001)
    assert one.routes.due
    said = one.routes.announcement()
    assert said.asks
    two.hear(said, one)
    assert not one.routes.known(version)
    assert three.goes(0b1000) == []
    three.hear(said, one)
    assert one.routes.known(version)
    assert three.goes(0b1000) == [one.subject]
    assert not one.routes.announcement().asks
    assert not one.missed()


def test_an_older_announcement_that_comes_late_changes_nothing() -> None:
    one, two = acquainted(0b1, 0b10)
    old = one.routes.announcement()
    one.routes.want(0b100)
    one.announce(two)
    two.hear(old, one)
    assert two.goes(0b100) == [one.subject]


def test_who_lets_others_not_know_in_time_has_missed_what_they_told_meanwhile() -> None:
    one, two = acquainted(0b1, 0b10)
    version = one.routes.want(0b101)
    said = one.routes.announcement()
    one.routes.give_up(version)
    assert one.routes.known(version)
    assert not one.missed()  # not yet: it may still be telling things without us
    two.hear(said, one)
    assert one.missed()
    assert not one.missed()


def test_an_answer_that_was_lost_is_asked_for_again() -> None:
    one, two = acquainted(0b1, 0b10)
    version = one.routes.want(0b101)
    assert two.hear(one.routes.announcement()) is not None  # and its answer is lost
    one.announce(two)
    assert one.routes.known(version)
    assert two.hear(one.routes.announcement()) is None  # nobody asks any more


def test_who_was_forgotten_for_a_while_knows_that_it_has_missed_something() -> None:
    one, two = acquainted(0b1, 0b10)
    for number in range(3):
        (subject,) = one.goes(0b10)
        two.origins.heard(one.origin.next(subject), subject, one.clock.seconds())
        one.routes.keep({two.origin.name} if number < 2 else set())
    assert one.goes(0b10) == [BATCH]  # it takes itself for alone
    assert subject not in one.origin.subjects
    two.announce(one)
    one.announce(two)
    assert two.missed()
    assert one.goes(0b10) == [two.subject]


def test_who_is_heard_of_late_may_have_told_things_before() -> None:
    one, two = acquainted(0b1, 0b10)
    new = One(one.clock, 0b100)
    two.announce(new)
    new.announce(two)
    new.clock.advance(YOUTH_SECONDS)
    assert new.goes(0b1) == []  # it has not heard of the first one, nor that of it
    new.announce(one)
    one.announce(new)
    new.announce(one)
    assert one.missed()
    assert new.goes(0b1) == [one.subject]


def test_nobody_misses_anything_where_an_instance_comes_and_goes_as_it_should() -> None:
    one, two = acquainted(0b1, 0b10)
    new = One(one.clock, 0b100)
    new.announce(one, two)
    for other in (one, two):
        other.announce(new)
    new.announce(one, two)
    assert one.goes(0b100) == [new.subject]
    assert not one.missed()
    assert not two.missed()
    new.announce(one, two, last=True)
    assert one.goes(0b100) == []
    assert not one.missed()


def test_an_instance_of_the_version_before_is_told_all_as_long_as_it_is_there() -> None:
    one, two, third = acquainted(0b1, 0b10, 0b100)
    old = One(one.clock)
    said = replace(old.origin.announcement(), shards=None)
    assert one.hear(said) is None
    assert one.goes(0b10) == [BATCH]
    # What went past it before: who hears the subject that it hears has missed a number there.
    old.hear(one.origin.announcement())
    assert old.missed()
    one.routes.keep({two.origin.name, third.origin.name})
    assert one.goes(0b10) == [two.subject]


def test_who_hears_and_tells_nothing_of_users_has_no_part_in_it() -> None:
    one, two = acquainted(0b1, 0b10)
    other = Routes(Origin(), one.clock.seconds)
    version = one.routes.want(0b101)
    assert other.announced(one.routes.announcement()) is None
    assert one.routes.announced(other.announcement()) is None
    one.announce(two)
    assert one.routes.known(version)
    assert one.goes(0b1000) == []
