"""The hub: one broken socket harms nobody else."""

from collections.abc import Sequence
from typing import Any

import msgspec
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.identity import Identity
from messenger.messages.live.feed import Feed
from messenger.messages.live.hub import HEAL_SECONDS, Hub
from messenger.messages.model import Happened, Head, Membership, Stored


class Channel:
    """Notes what is sent, or breaks."""

    def __init__(self, broken: bool = False) -> None:
        self.sent: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self._broken = broken

    def send(self, message: bytes) -> None:
        if self._broken:
            raise OSError("broken")
        self.sent.append(message)

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


class Memberships:
    """One conversation that `joined` tells of, and its members' places."""

    def __init__(self) -> None:
        self.found: list[Membership] = []

    async def memberships(
        self, user_id: str, device_id: str, conversation_id: str | None = None
    ) -> list[Membership]:
        return self.found

    async def joined(self, seconds: float) -> list[tuple[str, str]]:
        return [(one.conversation_id, "user") for one in self.found]


class Conversation:
    """Two changes and a message."""

    async def heads(self, conversation_ids: Sequence[str]) -> dict[str, Head]:
        return {}

    async def backlog(
        self, device_id: str, wants: Sequence[tuple[str, int, int]], limit: int, size: int
    ) -> list[Stored]:
        message = Stored("c", 1, "other", "device", "client", "text", b"x", None, 0, None)
        return [message for _, above, upto in wants if above < 1 <= upto]

    async def changes(self, wants: Sequence[tuple[str, int, int]], limit: int) -> list[Happened]:
        (_, above, upto), details = wants[0], {"user_id": "user"}
        happened = [
            Happened("c", 1, 0, 0, None, "member_added", details),
            Happened("c", 2, 0, 0, None, "member_removed", details),
            Happened("c", 3, 1, 0, None, "updated", {}),
        ]
        return [one for one in happened if above < one.change <= upto]


class HealingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.places = Memberships()
        parts: list[Any] = [self.clock, Conversation(), self.places]
        self.hub = Hub(*parts, unread_bytes=10_000)
        self.channel = Channel()
        self.connection = self.hub.attach(self.channel, Identity("user", "one", "session", 0, 0))
        self.hub.open(self.connection)
        self.clock.advance(0)
        self.channel.sent.clear()

    def look(self) -> list[str]:
        self.successResultOf(ensureDeferred(self.hub.start()))
        self.clock.pump([HEAL_SECONDS, 0, 0])
        frames = [frame for sent in self.channel.sent for frame in msgspec.json.decode(sent)]
        return [frame.get("event") or frame["type"] for frame in frames]

    def test_a_joining_that_the_bus_did_not_tell_of_is_found(self) -> None:
        self.places.found = [Membership("c", Head(1, 1), Head(0, 0), False)]
        self.assertEqual(self.look(), ["member_added", "message"])

    def test_who_is_let_in_on_old_news_is_shown_its_removal_and_nothing_after(self) -> None:
        # What was read of its membership is from before its removal; the feed here has come further.
        feed = Feed("c", Head(1, 3), lambda: 0)
        self.hub._feeds["c"] = feed
        self.places.found = [Membership("c", Head(0, 1), Head(0, 0), False)]
        self.assertEqual(self.look(), ["member_added", "member_removed"])
        self.assertNotIn(self.connection, feed.connections)

    def test_late_news_of_a_membership_shows_nothing_twice(self) -> None:
        # The relay tells of the joining after the leaving was shown.
        self.hub._feeds["c"] = Feed("c", Head(1, 3), lambda: 0)
        self.places.found = [Membership("c", Head(0, 1), Head(0, 0), False)]
        self.look()
        self.channel.sent.clear()
        self.places.found = [Membership("c", Head(0, 2), Head(0, 0), True)]
        self.clock.advance(HEAL_SECONDS)
        self.clock.pump([0, 0])
        self.assertEqual(self.channel.sent, [])


class HubTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        nothing: Any = None
        self.hub = Hub(self.clock, nothing, nothing, unread_bytes=10_000)

    def attach(self, device: str, broken: bool = False) -> Channel:
        channel = Channel(broken)
        self.connection = self.hub.attach(channel, Identity("user", device, "session", 0, 0))
        return channel

    def test_a_broken_socket_does_not_keep_others_from_theirs(self) -> None:
        self.attach("one", broken=True)
        broken = self.connection
        good = self.attach("two")
        broken.send(b"{}")
        self.connection.send(b"{}")
        self.clock.advance(0)
        self.assertEqual(good.sent, [b"{}"])
        self.assertTrue(broken.closed)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_frames_of_one_turn_share_a_message(self) -> None:
        channel = self.attach("one")
        for number in range(3):
            self.connection.send(b"%d" % number)
        self.clock.advance(0)
        self.assertEqual(channel.sent, [b"[0,1,2]"])

    def test_a_newer_socket_takes_over(self) -> None:
        older = self.attach("one")
        self.attach("one")
        self.assertEqual(older.closed, (4409, "a newer socket of this device has taken over"))
        self.assertEqual(self.hub.sockets, 1)
