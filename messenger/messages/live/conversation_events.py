"""Events of conversations between instances: messages and changes.

What this instance commits is offered to its own sockets at once and published for the others, contents
included (of a large batch only how far each conversation has come, and they read it). Messages go to those
instances that have users of a conversation's members (core/bus/routes.py), changes to all. What the others
commit comes over the bus, and so does what any instance relays from the outbox.
"""

import msgspec

from messenger.core.bus.connection import MAX_PAYLOAD, Bus
from messenger.core.outbox import Outbox
from messenger.messages.live.audience import Audience
from messenger.messages.live.delivery import Delivery
from messenger.messages.live.joining import Joining
from messenger.messages.model import Draft, Head, Outcome, StoredMessage
from messenger.wire import events
from messenger.wire.codec import Decoder, encode

_heads_event = Decoder[events.Heads](events.Heads)
_pack = msgspec.msgpack.Encoder()


class _Item(msgspec.Struct, array_like=True):
    """A message in a batch on the bus; left undecoded where nobody here is in its conversation."""

    conversation_id: str
    seq: int
    change: int
    message: msgspec.Raw


_batch = msgspec.msgpack.Decoder(list[_Item])
_stored = msgspec.msgpack.Decoder(StoredMessage)


class ConversationEvents:
    """Between what is committed, here or elsewhere, and this instance's sockets."""

    def __init__(
        self, delivery: Delivery, joining: Joining, audience: Audience, bus: Bus, outbox: Outbox
    ) -> None:
        self._delivery = delivery
        self._joining = joining
        self._audience = audience
        self._bus = bus
        self._outbox = outbox
        bus.on(events.HEADS, self._hear_heads)
        bus.on(events.BATCH, self._hear_batch, own=True)

    def committed(self, event_id: str, drafts: list[tuple[Draft, Outcome]]) -> None:
        """Messages that this instance has just committed under `event_id`: deliver here, tell the others."""
        items: list[_Item] = []
        size = 0
        for draft, outcome in drafts:
            stored = StoredMessage(
                conversation_id=draft.conversation_id,
                seq=outcome.seq,
                sender_id=draft.user_id,
                sender_device_id=draft.device_id,
                client_id=draft.client_id,
                kind=draft.kind,
                content=draft.content,
                envelopes=draft.envelopes,
                created=outcome.created,
                expires=outcome.expires,
            )
            packed = _pack.encode(stored)
            size += len(packed) + 64
            items.append(_Item(stored.conversation_id, stored.seq, outcome.change, msgspec.Raw(packed)))
            self._delivery.offer(stored, outcome.change)
        if size <= MAX_PAYLOAD:
            parts = self._bus.split(events.BATCH, items, self._concerns)
            self._outbox.send_parts(event_id, [(subject, _pack.encode(some)) for subject, some in parts])
        else:
            latest = {item.conversation_id: item for item in items}
            heads = [
                events.ConversationHead(conversation_id=name, seq=item.seq, change=item.change)
                for name, item in latest.items()
            ]
            self._outbox.send(event_id, events.HEADS, encode(events.Heads(heads=heads)))

    def _concerns(self, item: _Item) -> int | None:
        return self._audience.of(item.conversation_id, item.change)

    def changed(self, event_id: str, heads: events.Heads) -> None:
        """Conversations that this instance has just moved under `event_id`: look here, tell the others."""
        self._take(heads)
        self._outbox.send(event_id, events.HEADS, encode(heads))

    def _hear_batch(self, _subject: str, payload: bytes) -> None:
        for item in _batch.decode(payload):
            if self._delivery.wants(item.conversation_id, item.seq):
                self._delivery.offer(_stored.decode(item.message), item.change)

    def _hear_heads(self, _subject: str, payload: bytes) -> None:
        self._take(_heads_event.decode(payload))

    def _take(self, event: events.Heads) -> None:
        for moved in event.heads:
            self._audience.changed(moved.conversation_id, moved.change)
            self._delivery.reach(moved.conversation_id, Head(moved.seq, moved.change))
            for user_id in event.users:
                self._joining.join(user_id, moved.conversation_id)
