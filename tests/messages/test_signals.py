"""Told past the stream: typing lapses, and of two sockets of a device one is left."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.messages.live.connection import Connection
from messenger.messages.live.device_events import DeviceEvents
from messenger.messages.live.signals import TYPING_SECONDS, Signals
from messenger.wire import events
from tests.messages.live_world import Bus, Channel, Conversation, Instance, Store


class SignalTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.bus, self.store = Clock(), Bus(), Store()
        conversation = self.store.conversations["c"] = Conversation("c")
        conversation.add("ann")
        conversation.add("ben")
        self.first, self.first_signals = self.instance()
        self.second, self.second_signals = self.instance()

    def instance(self) -> tuple[Instance, Signals]:
        bus: Any = self.bus
        nothing: Any = None
        instance = Instance(self.clock, self.store)
        DeviceEvents(instance.hub, nothing, bus)
        return instance, Signals(self.clock, instance.hub, instance.audience, bus)

    def open(self, instance: Instance, device_id: str) -> tuple[Connection, Channel]:
        connection, channel = instance.open(device_id)
        instance.settle()
        channel.sent.clear()
        return connection, channel

    def test_typing_that_is_not_said_again_lapses(self) -> None:
        ann, _ = self.open(self.first, "ann-phone")
        _, channel = self.open(self.second, "ben-phone")
        self.first_signals.typing(ann, "c", True)
        self.clock.advance(TYPING_SECONDS - 1)
        self.first_signals.typing(ann, "c", True)
        self.clock.advance(TYPING_SECONDS - 1)
        self.assertEqual([one["is_typing"] for one in channel.frames()], [True, True])
        self.clock.advance(1)
        self.clock.advance(0)
        self.assertEqual(channel.frames()[-1]["is_typing"], False)
        self.clock.advance(TYPING_SECONDS)
        self.assertEqual(len(channel.sent), 3)

    def test_typing_is_passed_on_once_a_second_whatever_comes(self) -> None:
        ann, _ = self.open(self.first, "ann-phone")
        elsewhere, _ = self.open(self.second, "ann-laptop")
        _, channel = self.open(self.second, "ben-phone")
        for step in range(30):
            self.first_signals.typing(ann, "c", step % 2 == 0)
            self.second_signals.typing(elsewhere, "c", step % 3 == 0)
            self.clock.advance(0.1)
        self.first_signals.typing(ann, "c", False)
        self.clock.advance(2)
        frames = channel.frames()
        self.assertLessEqual(len(frames), 5)
        self.assertFalse(frames[-1]["is_typing"])  # the last word gets through
        self.clock.advance(TYPING_SECONDS + 2)
        self.assertEqual(self.first_signals._typing._next, {})

    def test_who_is_no_member_is_not_heard_typing(self) -> None:
        cat, _ = self.open(self.first, "cat-phone")
        _, channel = self.open(self.first, "ben-phone")
        self.first_signals.typing(cat, "c", True)
        self.clock.advance(0)
        self.assertEqual(channel.sent, [])

    def test_of_two_sockets_that_open_in_the_same_moment_one_is_left(self) -> None:
        held: list[bytes] = []
        self.patch(self.bus, "tell", lambda _subject, payload: held.append(payload))
        channels = [one.attach("ann-phone")[1] for one in (self.first, self.second)]
        for payload in held:
            for subject, listener in self.bus.listeners:
                if subject == events.ATTACHED:
                    listener(subject, payload)
        self.assertEqual(sorted(one.closed is not None for one in channels), [False, True])
