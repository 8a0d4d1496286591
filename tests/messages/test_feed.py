"""Live delivery: order, jumps, own messages, removal; and how messages and changes interleave."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.identity import Identity
from messenger.messages.live import connection as live_connection
from messenger.messages.live import feed
from messenger.messages.live.connection import Behind, Connection
from messenger.messages.live.feed import Feed, merged
from messenger.messages.model import Happened, Head, Stored
from messenger.wire import frames

NOW = 1_000_000


def stored(seq: int, sender: str = "other", expires: int | None = None) -> Stored:
    return Stored("c", seq, "u", sender, f"client-{seq}", "text", b"x", None, NOW, expires)


def happened(change: int, at_seq: int, event: str = "updated", **details: str) -> Happened:
    return Happened("c", change, at_seq, NOW, "u", event, details)


class Channel:
    """Notes what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed: tuple[int, str] | None = None

    def send(self, message: bytes) -> None:
        self.sent.append(message)

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


class Hub:
    """Flushes at once."""

    def __init__(self) -> None:
        self.closing: Counter[int] = Counter()

    def flush_later(self, connection: Connection) -> None:
        self.connection = connection

    def detach(self, connection: Connection) -> None:
        for one in list(connection.feeds):
            one.drop(connection)


class Store:
    """Holds messages and changes; the test lets readings through."""

    def __init__(self) -> None:
        self.messages: list[Stored] = []
        self.happened: list[Happened] = []
        self.gate: Deferred[None] | None = None
        self.reads = 0

    async def stretch(
        self, conversation_id: str, above: int, upto: int, limit: int, size: int
    ) -> list[Stored]:
        self.reads += 1
        if self.gate is not None:
            await self.gate
        return [one for one in self.messages if above < one.seq <= upto][:limit]

    async def changes(self, wants: Sequence[tuple[str, int, int]], limit: int) -> list[Happened]:
        return [one for one in self.happened if wants[0][1] < one.change <= wants[0][2]][:limit]


class FeedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = Store()
        self.feed = Feed("c", Head(0, 1), lambda: NOW)

    @property
    def feed_head(self) -> Head:
        return Head(self.feed.seq, self.feed.change)

    def connect(
        self, device: str = "mine", user: str = "me", bound: int = 10_000, place: Head | None = None
    ) -> Connection:
        connection = Connection(Hub(), Channel(), Identity(user, device, "s", 0, 0), bound)  # type: ignore[arg-type]
        self.feed.enter(connection, place or self.feed_head)
        return connection

    def received(self, connection: Connection) -> list[tuple[str, int]]:
        connection.flush()
        found = []
        for message in connection.channel.sent:  # type: ignore[attr-defined]
            decoded = msgspec.json.decode(message)
            for frame in decoded if isinstance(decoded, list) else [decoded]:
                found.append((frame["type"], frame.get("seq", frame.get("change"))))
        return found

    def fill(self) -> None:
        self.successResultOf(ensureDeferred(self.feed.fill(self.store)))

    def test_the_next_in_line_goes_through(self) -> None:
        connection = self.connect()
        self.assertTrue(self.feed.offer(stored(1), 1))
        self.assertTrue(self.feed.offer(stored(2), 1))
        self.assertEqual(self.received(connection), [("message", 1), ("message", 2)])

    def test_a_repeat_is_passed_over(self) -> None:
        connection = self.connect()
        self.feed.offer(stored(1), 1)
        self.assertTrue(self.feed.offer(stored(1), 1))
        self.assertEqual(self.received(connection), [("message", 1)])

    def test_a_jump_is_read_and_comes_in_order(self) -> None:
        connection = self.connect()
        self.store.messages = [stored(1), stored(2), stored(3)]
        self.assertFalse(self.feed.offer(stored(3), 1))
        self.assertEqual(self.received(connection), [])
        self.fill()
        self.assertEqual(self.received(connection), [("message", 1), ("message", 2), ("message", 3)])

    def test_what_comes_during_a_fill_is_read_by_it(self) -> None:
        connection = self.connect()
        self.store.messages = [stored(1), stored(2)]
        self.store.gate = Deferred()
        self.feed.offer(stored(2), 1)
        filling = ensureDeferred(self.feed.fill(self.store))
        self.assertFalse(self.feed.offer(stored(1), 1))
        self.store.messages.append(stored(3))
        self.feed.offer(stored(3), 1)
        gate, self.store.gate = self.store.gate, None
        gate.callback(None)
        self.successResultOf(filling)
        self.assertEqual([seq for _, seq in self.received(connection)], [1, 2, 3])

    def test_a_message_after_an_unseen_change_waits_for_it(self) -> None:
        connection = self.connect()
        self.store.messages = [stored(1)]
        self.store.happened = [happened(2, 0)]
        self.assertFalse(self.feed.offer(stored(1), 2))
        self.fill()
        self.assertEqual(self.received(connection), [("change", 2), ("message", 1)])

    def test_the_sending_device_does_not_get_its_own(self) -> None:
        sender, other = self.connect("mine"), self.connect("second")
        self.feed.offer(stored(1, sender="mine"), 1)
        self.assertEqual(self.received(sender), [])
        self.assertEqual(self.received(other), [("message", 1)])

    def test_a_connection_that_is_behind_gets_nothing_live(self) -> None:
        connection = self.connect()
        connection.behind["c"] = Behind(0, 0)
        self.feed.offer(stored(1), 1)
        self.assertEqual(self.received(connection), [])

    def test_a_removed_member_sees_its_removal_and_nothing_after(self) -> None:
        gone, stays = self.connect("mine", "gone"), self.connect("second", "stays")
        self.store.happened = [
            happened(2, 0, "member_removed", user_id="gone"),
            happened(3, 0, "role_changed", user_id="stays", role="owner"),
        ]
        self.feed.reach(Head(0, 3))
        self.fill()
        self.feed.offer(stored(1), 3)
        self.assertEqual(self.received(gone), [("change", 2)])
        self.assertEqual(self.received(stays), [("change", 2), ("change", 3), ("message", 1)])

    def test_a_removed_member_that_is_behind_is_read_up_to_its_removal(self) -> None:
        gone = self.connect("mine", "gone")
        behind = gone.behind["c"] = Behind(0, 0)
        self.store.happened = [happened(2, 0, "member_removed", user_id="gone")]
        self.feed.reach(Head(0, 2))
        self.fill()
        self.assertEqual(behind.end, Head(0, 2))

    def test_a_feed_that_is_behind_a_place_keeps_what_lies_below_to_itself(self) -> None:
        # Seen or from before its joining: a socket that came while the feed had a jump to fill.
        there, late = self.connect("there", "one"), self.connect("late", "two", place=Head(2, 2))
        self.store.messages = [stored(1), stored(2), stored(3)]
        self.store.happened = [happened(2, 1, "member_removed", user_id="two"), happened(3, 2)]
        self.feed.reach(Head(3, 3))
        self.fill()
        self.assertEqual(self.received(late), [("change", 3), ("message", 3)])
        self.assertEqual(len(self.received(there)), 5)
        self.assertIn(late, self.feed.connections)

    def test_heads_that_promise_too_much_do_not_spin(self) -> None:
        self.connect()
        self.assertFalse(self.feed.reach(Head(5, 1)))
        self.fill()
        self.assertEqual(self.store.reads, 1)
        self.assertTrue(self.feed.offer(stored(1), 1))

    def test_an_expired_message_comes_without_content(self) -> None:
        connection = self.connect()
        self.feed.offer(stored(1, expires=NOW), 1)
        connection.flush()
        frame = msgspec.json.decode(connection.channel.sent[0])  # type: ignore[attr-defined]
        self.assertIsNone(frame["content"])
        self.assertFalse(frame["deleted"])

    def test_who_does_not_read_is_cut_off(self) -> None:
        slow, quick = self.connect("slow", bound=500), self.connect("quick", bound=10_000)
        slow.pause()
        for seq in range(1, 6):
            self.feed.offer(stored(seq), 1)
            quick.flush()
        self.assertEqual(slow.channel.closed, (frames.TOO_SLOW, "live events are not being read"))  # type: ignore[attr-defined]
        self.assertNotIn(slow, self.feed.connections)
        self.assertEqual(len(self.received(quick)), 5)

    def test_what_one_turn_brings_does_not_cut_off_who_reads(self) -> None:
        connection = self.connect(bound=500)
        for seq in range(1, 6):
            self.feed.offer(stored(seq), 1)
        self.assertEqual(len(self.received(connection)), 5)

    def test_who_does_not_read_as_fast_as_a_jump_is_filled_goes_on_at_its_own_pace(self) -> None:
        self.patch(feed, "PAGE", 5)
        slow, quick = self.connect("slow", bound=700), self.connect("quick", bound=700)
        slow.pause()
        self.feed.offer(stored(1), 1)
        self.feed.offer(stored(2), 1)
        self.store.messages = [stored(seq) for seq in range(1, 9)]
        self.feed.reach(Head(8, 1))
        self.fill()
        self.assertIsNone(slow.channel.closed)  # type: ignore[attr-defined]
        self.assertEqual(slow.behind, {"c": Behind(2, 1)})
        self.assertEqual(len(self.received(quick)), 8)

    def test_more_changes_than_a_page_holds_keep_their_place_among_messages(self) -> None:
        connection = self.connect()
        self.patch(feed, "PAGE", 2)
        self.store.messages = [stored(1)]
        self.store.happened = [happened(2, 0), happened(3, 0), happened(4, 0), happened(5, 1)]
        self.feed.reach(Head(1, 5))
        self.fill()
        order = [("change", 2), ("change", 3), ("change", 4), ("message", 1), ("change", 5)]
        self.assertEqual(self.received(connection), order)

    def test_what_the_transport_has_no_room_for_waits_here(self) -> None:
        connection = self.connect()
        self.patch(live_connection, "MESSAGE_BYTES", 1)
        channel: Any = connection.channel
        self.patch(channel, "send", lambda message: (channel.sent.append(message), connection.pause()))
        for seq in range(1, 4):
            self.feed.offer(stored(seq), 1)
        connection.flush()
        self.assertEqual(len(channel.sent), 1)
        connection.resume()
        connection.resume()
        self.assertEqual([seq for _, seq in self.received(connection)], [1, 2, 3])
        self.assertEqual(connection.unread, 0)


class MergedTests(SynchronousTestCase):
    def test_a_change_follows_the_message_at_which_it_happened(self) -> None:
        items = merged([stored(1), stored(2)], [happened(5, 0), happened(6, 1), happened(7, 2)], 2)
        order = [item.seq if isinstance(item, Stored) else -item.change for item in items]
        self.assertEqual(order, [-5, 1, -6, 2, -7])

    def test_changes_beyond_what_was_read_wait(self) -> None:
        items = merged([stored(1)], [happened(5, 1), happened(6, 2)], 1)
        self.assertEqual(len(items), 2)
