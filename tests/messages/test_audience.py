"""Whom a conversation's events concern is right as of a change, or not known; and what an instance hears."""

from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.messages.live import audience as module
from messenger.messages.live.audience import GATHER_SECONDS, Audience
from messenger.messages.live.interest import LINGER_SECONDS, Interest
from messenger.wire.shards import ALL, shards_of
from tests.messages.live_world import Bus, Conversation, Instance, Store


class AudienceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.store = Clock(), Store()
        self.conversation = self.store.conversations["c"] = Conversation("c")
        self.conversation.add("ann")
        self.conversation.add("ben")
        self.audience = Audience(self.clock, self.store)

    def read(self) -> None:
        self.clock.advance(GATHER_SECONDS)

    def test_who_is_not_known_is_read_for_the_next_time_once(self) -> None:
        for _ in range(3):
            self.assertIsNone(self.audience.of("c", 2))
        self.read()
        self.assertEqual(self.audience.of("c", 2), shards_of(["ann", "ben"]))
        self.assertEqual(self.store.reads, ["members"])

    def test_for_another_change_it_is_not_known(self) -> None:
        self.audience.of("c")
        self.read()
        self.conversation.add("cat")
        self.assertIsNone(self.audience.of("c", 3))
        self.assertEqual(self.audience.of("c"), shards_of(["ann", "ben"]))
        self.read()
        self.assertEqual(self.audience.of("c", 3), shards_of(["ann", "ben", "cat"]))
        self.assertIsNone(self.audience.of("c", 2))

    def test_a_change_that_is_heard_of_makes_it_unknown(self) -> None:
        self.audience.of("c")
        self.read()
        self.audience.changed("c", 2)
        self.assertIsNotNone(self.audience.of("c"))
        self.audience.changed("c", 3)
        self.assertIsNone(self.audience.of("c"))

    def test_what_was_read_before_a_change_that_was_heard_meanwhile_is_not_kept(self) -> None:
        for forget in (lambda: self.audience.changed("c", 3), self.audience.forget):
            self.store.held = True
            self.audience.of("c")
            self.read()
            forget()
            self.store.held = False
            self.store.let_through()
            self.assertIsNone(self.audience.of("c"))
            self.read()
            self.audience.forget()

    def test_a_large_group_concerns_all(self) -> None:
        self.patch(module, "MEMBERS", 1)
        self.audience.of("c")
        self.read()
        self.assertEqual(self.audience.of("c", 2), ALL)

    def test_it_is_bounded_and_keeps_what_was_asked_for_last(self) -> None:
        self.patch(module, "KEPT", 2)
        for name in "abd":
            self.store.conversations[name] = Conversation(name)
            self.store.conversations[name].add("ann")
        for name in ("a", "b", "a", "d"):
            self.audience.of(name)
            self.read()
        self.assertIsNone(self.audience.of("b"))
        self.assertIsNotNone(self.audience.of("a"))
        self.assertIsNotNone(self.audience.of("d"))

    def test_while_postgresql_is_away_nobody_is_known_and_later_all_are(self) -> None:
        self.store.held = True
        self.audience.of("c")
        self.read()
        self.store.fail()
        self.store.held = False
        self.assertIsNone(self.audience.of("c"))
        self.read()
        self.assertIsNotNone(self.audience.of("c"))


class Wanting(Bus):
    """Notes what is wanted; the test says when that is known."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted: list[int] = []
        self.knowing: dict[int, Deferred[None]] = {}

    def want(self, shards: int) -> int:
        self.wanted.append(shards)
        return len(self.wanted)

    async def known(self, version: int) -> None:
        if version in self.knowing:
            await self.knowing[version]


class InterestTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.bus, self.store = Clock(), Wanting(), Store()
        self.instance = Instance(self.clock, self.store, bus=self.bus)

    def test_a_shard_is_wanted_from_its_first_socket_until_a_minute_after_its_last(self) -> None:
        ann, both = shards_of(["ann"]), shards_of(["ann", "ben"])
        first, _ = self.instance.attach("ann-phone")
        second, _ = self.instance.attach("ann-laptop")
        other, _ = self.instance.attach("ben-phone")
        self.assertEqual(self.bus.wanted, [0, ann, both])
        first.gone()
        other.gone()
        self.clock.advance(LINGER_SECONDS - 1)
        self.instance.attach("ben-phone")
        second.gone()
        self.clock.advance(LINGER_SECONDS)
        self.assertEqual(self.bus.wanted, [0, ann, both, shards_of(["ben"])])

    def test_nothing_is_read_for_a_user_before_others_know_that_it_is_here(self) -> None:
        self.store.conversations["c"] = Conversation("c")
        self.store.conversations["c"].add("ann")
        self.bus.knowing[2] = Deferred()
        _, channel = self.instance.open("ann-phone")
        self.assertEqual(self.store.reads, [])
        self.store.conversations["c"].write("ben-phone")  # and nobody tells this instance
        self.bus.knowing.pop(2).callback(None)
        self.instance.settle()
        self.assertEqual(channel.numbers(), [("change", 1), ("message", 1)])

    def test_a_stop_leaves_nothing_to_do(self) -> None:
        first, _ = self.instance.attach("ann-phone")
        second, _ = self.instance.attach("ben-phone")
        first.gone()
        interest: Any = self.instance.interest
        self.assertIsInstance(interest, Interest)
        self.successResultOf(ensureDeferred(interest.stop()))
        second.gone()
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
