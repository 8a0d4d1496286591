"""What the bus did not tell is found in PostgreSQL: after a gap at once, else within the time that is set."""

from itertools import pairwise

from twisted.internet.defer import ensureDeferred

from messenger.messages.live.healing import GATHER_SECONDS, TICK_SECONDS
from messenger.messages.model import Head, Membership
from tests.messages.live_world import LOOK_SECONDS, Conversation
from tests.messages.test_live_delivery import DeliveryCase


class HealingTests(DeliveryCase):
    def start(self) -> None:
        self.successResultOf(ensureDeferred(self.instance.healing.start()))

    def test_a_gap_has_all_heads_read_once(self) -> None:
        _, channel = self.open("ben-phone")
        self.write(tell=False)
        self.store.reads.clear()
        for _ in range(10):
            self.instance.healing.gap()
        self.instance.settle()
        self.assertEqual(channel.numbers(), [("message", 1)])
        self.assertEqual(self.store.reads.count("heads"), 1)
        self.assertEqual(self.store.reads.count("joined"), 1)

    def test_a_joining_that_the_bus_did_not_tell_of_is_found(self) -> None:
        _, channel = self.open("ben-phone")
        other = self.store.conversations["d"] = Conversation("d")
        other.add("ben")
        other.write("ann-phone")
        self.instance.healing.gap()
        self.instance.settle()
        self.assertEqual(channel.numbers(), [("change", 1), ("message", 1)])

    def test_who_has_left_and_joined_again_unheard_is_shown_what_came_then(self) -> None:
        _, channel = self.open("ben-phone")
        self.conversation.remove("ben")
        self.write(tell=False)
        self.conversation.add("ben")
        self.write(tell=False)
        self.instance.healing.gap()
        self.instance.settle()
        self.assertEqual(channel.numbers()[-2:], [("change", 5), ("message", 2)])
        self.assertNotIn(("message", 1), channel.numbers())

    def test_what_is_heard_while_a_membership_is_read_is_found(self) -> None:
        self.store.held = True
        _, channel = self.instance.open("ben-phone")
        while self.store.waiting:
            if "memberships" in self.store.reads[-1:]:
                self.write()  # nobody here follows the conversation yet
                self.store.held = False
            self.store.let_through()
        self.instance.settle()
        self.assertIn(("message", 1), channel.numbers())

    def test_who_is_let_in_on_old_news_is_shown_its_removal_and_nothing_after(self) -> None:
        _, other = self.open("cat-phone")
        connection, channel = self.instance.attach("ben-phone")
        connection.opening = False
        old = Membership("c", Head(0, 3), Head(0, 0), False)
        self.conversation.remove("ben")
        self.write(tell=False)
        self.tell_head()
        self.instance.settle()
        self.instance.joining._enter(connection, old)
        ensureDeferred(self.instance.backlog.bring_up(connection))
        self.instance.settle()
        self.assertEqual(channel.numbers(), [("change", number) for number in (1, 2, 3, 4)])
        self.assertEqual(other.numbers(), [("change", 4), ("message", 1)])
        # The relay tells of the joining after the leaving was shown.
        self.instance.joining.join("ben", "c")
        self.instance.settle()
        self.assertEqual(len(channel.numbers()), 4)

    def test_a_joining_while_a_socket_opens_does_not_have_it_synced_too_early(self) -> None:
        self.store.held = True
        connection, _ = self.instance.open("ben-phone")
        self.instance.joining.join("ben", "nowhere")
        while len(self.store.waiting) > 1:
            self.store.let_through(1)
        self.assertFalse(connection.synced)
        self.instance.settle()
        self.assertTrue(connection.synced)

    def test_each_conversation_is_looked_at_now_and_then_a_few_at_a_time(self) -> None:
        for number in range(300):
            self.store.conversations[f"n{number}"] = one = Conversation(f"n{number}")
            one.add("ben")
            one.places["ben-phone"] = Head(0, 1)
        _, channel = self.open("ben-phone")
        self.instance.settle()
        for number in range(300):
            self.store.conversations[f"n{number}"].write("ann-phone")
        self.start()
        shown = []
        while self.clock.seconds() < LOOK_SECONDS + 3 * TICK_SECONDS:
            self.clock.advance(TICK_SECONDS)
            self.clock.pump([GATHER_SECONDS, 0, 0, 0])
            shown.append(len(channel.numbers()))
        self.assertEqual(shown[-1], 300)
        steps = [later - earlier for earlier, later in pairwise(shown)]
        self.assertLessEqual(max(steps), 6)  # two ticks at most, of three each

    def test_healing_goes_on_after_postgresql_was_away(self) -> None:
        _, channel = self.open("ben-phone")
        self.write(tell=False)
        self.store.held = True
        self.instance.healing.gap()
        self.clock.advance(GATHER_SECONDS)
        self.store.fail()
        self.instance.settle()
        self.assertEqual(channel.numbers(), [("message", 1)])
