"""Construction of live delivery."""

from dataclasses import dataclass
from typing import Any

from messenger.core.bus.connection import Bus
from messenger.core.lifecycle import Part
from messenger.core.outbox import Outbox
from messenger.core.settings import Message
from messenger.messages.live.audience import Audience
from messenger.messages.live.backlog import Backlog
from messenger.messages.live.blocks import LiveBlocks
from messenger.messages.live.conversation_events import ConversationEvents
from messenger.messages.live.delivery import Delivered, Delivery
from messenger.messages.live.device_events import DeviceEvents
from messenger.messages.live.healing import Healing
from messenger.messages.live.hub import Hub
from messenger.messages.live.interest import Interest
from messenger.messages.live.joining import Joining
from messenger.messages.live.lookups import Lookups
from messenger.messages.live.receipts import Receipts
from messenger.messages.live.signals import Signals
from messenger.messages.store.blocks import BlockStore
from messenger.messages.store.cursors import CursorStore
from messenger.messages.store.messages import MessageStore


@dataclass(frozen=True)
class Live:
    """Live delivery as the rest of the service sees it. `parts` are in the order in which they start."""

    hub: Hub
    backlog: Backlog
    joining: Joining
    events: ConversationEvents
    signals: Signals
    receipts: Receipts
    blocks: LiveBlocks
    parts: list[Part]


def build_live(
    reactor: Any,
    settings: Message,
    bus: Bus,
    outbox: Outbox,
    messages: MessageStore,
    cursors: CursorStore,
    blocks: BlockStore,
    delivered: Delivered,
) -> Live:
    """Live delivery of one instance."""
    hub = Hub(reactor, settings.unread_bytes)
    backlog = Backlog(reactor, hub, messages)
    delivery = Delivery(reactor, hub, messages, backlog, delivered)
    interest = Interest(reactor, hub, bus)
    audience = Audience(reactor, cursors)
    joining = Joining(reactor, hub, Lookups(reactor, cursors, blocks), backlog, delivery, interest.known)
    healing = Healing(reactor, hub, messages, cursors, delivery, joining.join, settings.look)
    bus.on_gap(healing.gap)
    bus.on_gap(audience.forget)
    events = ConversationEvents(delivery, joining, audience, bus, outbox)
    DeviceEvents(hub, cursors, bus)
    signals = Signals(reactor, hub, audience, bus)
    receipts = Receipts(hub, audience, bus, settings.receipt_members)
    live_blocks = LiveBlocks(reactor, hub, blocks, bus)
    parts: list[Part] = [interest, hub, healing, live_blocks]
    return Live(hub, backlog, joining, events, signals, receipts, live_blocks, parts)
