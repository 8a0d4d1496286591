"""Receipts of one flush are one event, and reach whom they concern."""

from typing import Any

from msgspec import Raw
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.bus.connection import MAX_PAYLOAD
from messenger.core.ids import new_id
from messenger.messages.live import receipts as module
from messenger.messages.live.receipts import Receipts
from messenger.messages.live.signals import Signals
from messenger.messages.model import Risen
from messenger.wire import events
from messenger.wire.codec import encode
from tests.messages.live_world import Bus, Channel, Conversation, Instance, Store


class ReceiptTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.bus, self.store = Clock(), Bus(), Store()
        for name in ("c", "d"):
            conversation = self.store.conversations[name] = Conversation(name)
            conversation.add("ann")
            conversation.add("ben")
        self.first, self.receipts = self.instance()
        self.second, _ = self.instance()

    def instance(self) -> tuple[Instance, Receipts]:
        bus: Any = self.bus
        instance = Instance(self.clock, self.store)
        Signals(self.clock, instance.hub, instance.audience, bus)
        return instance, Receipts(instance.hub, instance.audience, bus, receipt_members=3)

    def open(self, instance: Instance, device_id: str) -> Channel:
        _, channel = instance.open(device_id)
        instance.settle()
        channel.sent.clear()
        return channel

    def test_many_conversations_are_one_event_for_all_instances(self) -> None:
        here, there = self.open(self.first, "ben-phone"), self.open(self.second, "ben-laptop")
        said, own = self.open(self.first, "ann-phone"), self.open(self.second, "ann-laptop")
        self.receipts.risen(
            [Risen("c", "ann", "ann-phone", 4, 2), Risen("d", "ann", "ann-phone", 7, 2)],
            [Risen("c", "ann", "ann-phone", 3, 2)],
        )
        self.clock.advance(0)
        self.assertEqual(len(self.bus.told), 1)
        expected = [("delivered", "c", 4), ("delivered", "d", 7), ("read", "c", 3)]
        for channel in (here, there, own):
            found = [(one["kind"], one["conversation_id"], one["seq"]) for one in channel.frames()]
            self.assertEqual(found, expected)
        self.assertEqual(said.sent, [])

    def test_in_a_large_group_they_are_for_ones_own_devices(self) -> None:
        other, own = self.open(self.second, "ben-phone"), self.open(self.second, "ann-laptop")
        self.receipts.risen([Risen("c", "ann", "ann-phone", 4, 100)], [])
        self.clock.advance(0)
        self.assertEqual((len(other.frames()), len(own.frames())), (0, 1))

    def test_nothing_passes_a_block(self) -> None:
        connection, channel = self.second.open("ben-phone")
        self.second.settle()
        channel.sent.clear()
        connection.apart = frozenset({"ann"})
        self.receipts.risen([Risen("c", "ann", "ann-phone", 4, 2)], [])
        self.clock.advance(0)
        self.assertEqual(channel.sent, [])

    def test_an_event_is_bounded(self) -> None:
        name = new_id()
        self.receipts.risen([Risen(name, name, name, 1 << 40, 2)] * (2 * module.MOST), [])
        self.assertEqual(len(self.bus.told), 2)
        self.assertLess(max(len(payload) for _, payload in self.bus.told), MAX_PAYLOAD)

    def test_the_form_of_the_version_before_is_understood(self) -> None:
        other = self.open(self.second, "ben-phone")
        frame = Raw(
            b'{"type":"receipt","kind":"read","conversation_id":"c","user_id":"ann","seq":3}',
        )
        told = events.Told(
            origin="an older instance",
            conversation_id="c",
            user_id="ann",
            device_id="ann-phone",
            others=True,
            own=True,
            frame=frame,
        )
        self.bus.tell(events.TOLD, encode(told))
        self.clock.advance(0)
        self.assertEqual([one["seq"] for one in other.frames()], [3])
