"""What instances tell each other: typing lapses, and of two sockets of a device just one is left."""

from typing import Any

import msgspec
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.identity import Identity
from messenger.messages.live.connection import Connection
from messenger.messages.live.feed import Feed
from messenger.messages.live.hub import Hub
from messenger.messages.live.news import TYPING_SECONDS, News
from messenger.messages.model import Head
from messenger.wire import events
from tests.messages.test_hub import Channel


class Bus:
    """Carries what instances tell each other, at once."""

    def __init__(self) -> None:
        self.listeners: list[tuple[str, Any]] = []

    def on(self, subject: str, listener: Any) -> None:
        self.listeners.append((subject, listener))

    def on_gap(self, listener: object) -> None:
        """No gap comes."""

    def tell(self, subject: str, payload: bytes) -> None:
        for wanted, listener in self.listeners:
            if wanted == subject:
                listener(subject, payload)


class NewsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.bus = Clock(), Bus()
        self.first, self.first_news = self.instance()
        self.second, _ = self.instance()

    def instance(self) -> tuple[Hub, News]:
        nothing: Any = None
        bus: Any = self.bus
        hub = Hub(self.clock, nothing, nothing, unread_bytes=10_000)
        return hub, News(self.clock, hub, nothing, bus, nothing, receipt_members=32)

    def attach(self, hub: Hub, user: str) -> tuple[Connection, Channel]:
        channel = Channel()
        return hub.attach(channel, Identity(user, f"{user}-phone", "session", 0, 0)), channel

    def test_typing_that_is_not_said_again_lapses(self) -> None:
        ann, _ = self.attach(self.first, "ann")
        ben, channel = self.attach(self.second, "ben")
        for hub, connection in ((self.first, ann), (self.second, ben)):
            feed = hub._feeds["c"] = Feed("c", Head(0, 1), lambda: 0)
            feed.enter(connection, Head(0, 1))
        self.first_news.typing(ann, "c", True)
        self.clock.advance(TYPING_SECONDS - 1)
        self.first_news.typing(ann, "c", True)
        self.clock.advance(TYPING_SECONDS - 1)
        self.assertEqual([msgspec.json.decode(one)["is_typing"] for one in channel.sent], [True, True])
        self.clock.advance(1)
        self.clock.advance(0)
        self.assertEqual(msgspec.json.decode(channel.sent[-1])["is_typing"], False)
        self.clock.advance(TYPING_SECONDS)
        self.assertEqual(len(channel.sent), 3)

    def test_of_two_sockets_that_open_in_the_same_moment_one_is_left(self) -> None:
        held: list[bytes] = []
        self.patch(self.bus, "tell", lambda _subject, payload: held.append(payload))
        channels = [self.attach(hub, "ann")[1] for hub in (self.first, self.second)]
        for payload in held:
            for subject, listener in self.bus.listeners:
                if subject == events.ATTACHED:
                    listener(subject, payload)
        self.assertEqual(sorted(one.closed is not None for one in channels), [False, True])
