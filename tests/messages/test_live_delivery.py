"""From what was committed to sockets: at once, by reading what is missing, and as fast as clients read."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.messages.live import connection as live_connection
from messenger.messages.live import delivery
from messenger.messages.live.connection import Connection
from messenger.messages.live.follower import BEHIND, LIVE
from messenger.messages.model import Head
from messenger.wire import frames
from tests.messages.live_world import Channel, Conversation, Instance, Store


class DeliveryCase(SynchronousTestCase):
    """A conversation of Ann, Ben and Cat, whose joinings have been shown."""

    bound = 100_000

    def setUp(self) -> None:
        self.clock, self.store = Clock(), Store()
        self.conversation = self.store.conversations["c"] = Conversation("c")
        for user_id in ("ann", "ben", "cat"):
            self.conversation.add(user_id)
        self.instance = Instance(self.clock, self.store, self.bound)

    def open(self, device_id: str) -> tuple[Connection, Channel]:
        connection, channel = self.instance.open(device_id)
        self.instance.settle()
        channel.sent.clear()
        return connection, channel

    def write(self, device_id: str = "ann-phone", tell: bool = True) -> None:
        stored = self.conversation.write(device_id)
        if tell:
            self.instance.delivery.offer(stored, self.conversation.head.change)

    def tell_head(self) -> None:
        self.instance.delivery.reach("c", self.conversation.head)


class DeliveryTests(DeliveryCase):
    def test_the_next_in_line_goes_through(self) -> None:
        _, channel = self.open("ben-phone")
        self.store.reads.clear()
        self.write()
        self.write()
        self.clock.advance(0)
        self.assertEqual(channel.numbers(), [("message", 1), ("message", 2)])
        self.assertEqual(self.store.reads, [])

    def test_a_jump_is_read_once_for_all_and_comes_in_order(self) -> None:
        channels = [self.open(device)[1] for device in ("ben-phone", "ben-laptop", "cat-phone")]
        self.store.reads.clear()
        self.write(tell=False)
        self.write(tell=False)
        self.write()
        self.instance.settle()
        for channel in channels:
            self.assertEqual(channel.numbers(), [("message", 1), ("message", 2), ("message", 3)])
        self.assertEqual(self.store.reads, ["stretch"])

    def test_what_comes_while_a_jump_is_read_is_not_lost(self) -> None:
        _, channel = self.open("ben-phone")
        self.store.held = True
        self.write(tell=False)
        self.write()
        self.write()
        self.assertEqual(len(self.store.waiting), 1)
        self.instance.settle()
        self.assertEqual([seq for _, seq in channel.numbers()], [1, 2, 3])

    def test_a_jump_is_read_again_where_postgresql_was_away(self) -> None:
        _, channel = self.open("ben-phone")
        self.store.held = True
        self.write(tell=False)
        self.write()
        self.store.fail()
        self.instance.settle()
        self.assertEqual([seq for _, seq in channel.numbers()], [1, 2])

    def test_a_message_after_an_unseen_change_waits_for_it(self) -> None:
        _, channel = self.open("ben-phone")
        self.conversation.note("updated")
        self.write()
        self.instance.settle()
        self.assertEqual(channel.numbers(), [("change", 4), ("message", 1)])

    def test_a_removed_member_is_shown_its_removal_and_nothing_after(self) -> None:
        gone, stays = self.open("ben-phone"), self.open("cat-phone")
        self.conversation.remove("ben")
        self.conversation.note("role_changed")
        self.tell_head()
        self.instance.settle()
        self.write()
        self.instance.settle()
        self.assertEqual(gone[1].numbers(), [("change", 4)])
        self.assertEqual(stays[1].numbers(), [("change", 4), ("change", 5), ("message", 1)])
        self.assertEqual(list(self.instance.hub.sockets_in("c")), [stays[0]])

    def test_who_was_not_shown_all_changes_may_be_no_member(self) -> None:
        connection, _ = self.open("ben-phone")
        self.store.held = True
        self.conversation.remove("ben")
        self.tell_head()
        self.assertEqual(list(self.instance.hub.sockets_in("c")), [])
        self.assertFalse(connection.closed)

    def test_a_conversation_that_nobody_follows_any_more_is_forgotten(self) -> None:
        connection, _ = self.open("ben-phone")
        self.assertEqual(list(self.instance.hub.feeds), ["c"])
        connection.gone()
        self.assertEqual(self.instance.hub.feeds, {})

    def test_a_place_beyond_what_is_known_here_is_shown_nothing_from_below(self) -> None:
        _, there = self.open("ben-phone")
        self.store.held = True
        self.write(tell=False)
        self.write(tell=False)
        self.conversation.places["cat-phone"] = self.conversation.head  # acknowledged elsewhere
        _, late = self.instance.open("cat-phone")
        self.instance.settle()
        self.write()
        self.instance.settle()
        self.assertEqual([seq for _, seq in there.numbers()], [1, 2, 3])
        self.assertEqual(late.numbers(), [("message", 3)])

    def test_heads_that_promise_too_much_do_not_spin(self) -> None:
        _, channel = self.open("ben-phone")
        self.store.reads.clear()
        self.instance.delivery.reach("c", Head(5, 3))
        self.instance.settle()
        self.assertEqual(self.store.reads, ["stretch"])
        self.write()
        self.clock.advance(0)
        self.assertEqual(channel.numbers(), [("message", 1)])

    def test_an_expired_message_comes_without_content(self) -> None:
        _, channel = self.open("ben-phone")
        stored = self.conversation.write("ann-phone")
        stored.expires = int(self.clock.seconds() * 1000)
        self.instance.delivery.offer(stored, 3)
        self.clock.advance(0)
        (frame,) = channel.frames()
        self.assertIsNone(frame["content"])
        self.assertFalse(frame["deleted"])

    def test_more_changes_than_a_page_holds_keep_their_place_among_messages(self) -> None:
        self.patch(delivery, "PAGE", 2)
        _, channel = self.open("ben-phone")
        for _ in range(3):
            self.conversation.note("updated")
        self.write(tell=False)
        self.conversation.note("updated")
        self.tell_head()
        self.instance.settle()
        order = [("change", 4), ("change", 5), ("change", 6), ("message", 1), ("change", 7)]
        self.assertEqual(channel.numbers(), order)


class SlowTests(DeliveryCase):
    bound = 2_000

    def test_who_does_not_read_is_cut_off(self) -> None:
        slow, quick = self.open("ben-phone"), self.open("cat-phone")
        slow[0].pause()
        for _ in range(10):
            self.write()
            self.clock.advance(0)
        self.assertEqual(slow[1].closed, (frames.TOO_SLOW, "live events are not being read"))
        self.assertEqual(len(quick[1].numbers()), 10)

    def test_what_one_turn_brings_does_not_cut_off_who_reads(self) -> None:
        _, channel = self.open("ben-phone")
        for _ in range(10):
            self.write()
        self.clock.advance(0)
        self.assertEqual(len(channel.numbers()), 10)

    def test_who_does_not_read_as_fast_as_a_jump_is_filled_goes_on_at_its_own_pace(self) -> None:
        self.patch(delivery, "PAGE", 5)
        slow, quick = self.open("ben-phone"), self.open("cat-phone")
        slow[0].pause()
        for _ in range(5):
            self.write()
            self.clock.advance(0)
        self.assertTrue(slow[0].slow)
        for _ in range(20):
            self.write(tell=False)
        self.tell_head()
        self.store.held = True
        self.clock.advance(0)
        while len(quick[1].numbers()) < 25:
            self.store.let_through()
            self.clock.advance(0)
        self.assertIsNone(slow[1].closed)
        self.assertIs(slow[0].followers["c"].state, BEHIND)
        slow[0].resume()
        self.instance.settle()
        self.assertEqual([seq for _, seq in slow[1].numbers()], list(range(1, 26)))
        self.assertIs(slow[0].followers["c"].state, LIVE)

    def test_what_the_transport_has_no_room_for_waits_here(self) -> None:
        connection, channel = self.open("ben-phone")
        self.patch(live_connection, "MESSAGE_BYTES", 1)
        full: Any = channel
        full.send = lambda message: (channel.sent.append(message), connection.pause())
        for _ in range(3):
            self.write()
        self.clock.advance(0)
        self.assertEqual(len(channel.sent), 1)
        connection.resume()
        connection.resume()
        self.assertEqual([seq for _, seq in channel.numbers()], [1, 2, 3])
        self.assertEqual(connection.unread, 0)
