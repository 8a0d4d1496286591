"""What instances tell each other about conversations and devices, and what comes of it here.

What this instance commits is offered to its own sockets at once and published for the others, contents
included (of a large batch only how far each conversation has come, and they read it); what the others commit
comes over the bus. Receipts and typing go past the stream: they may be lost.
"""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import msgspec
from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from messenger.core.bus import MAX_PAYLOAD, Bus
from messenger.core.ids import new_id
from messenger.core.outbox import Outbox
from messenger.messages.live.connection import Connection
from messenger.messages.live.hub import Hub
from messenger.messages.model import Draft, Head, Outcome, Stored
from messenger.messages.store.places import Risen
from messenger.wire import events, frames
from messenger.wire.codec import Decoder, encode
from messenger.wire.errors import Problem

TYPING_SECONDS = 6.0

log = Logger()
_heads_event = Decoder[events.Heads](events.Heads)
_told_event = Decoder[events.Told](events.Told)
_device_event = Decoder[events.DeviceChanged](events.DeviceChanged)
_attached_event = Decoder[events.Attached](events.Attached)
_prekeys_event = Decoder[events.PrekeysLow](events.PrekeysLow)
_pack = msgspec.msgpack.Encoder()


class _Item(msgspec.Struct, array_like=True):
    """A message in a batch on the bus; left undecoded where nobody here is in its conversation."""

    conversation_id: str
    seq: int
    change: int
    message: msgspec.Raw


_batch = msgspec.msgpack.Decoder(list[_Item])
_stored = msgspec.msgpack.Decoder(Stored)


class Places(Protocol):
    """What is wanted of the store."""

    async def conversations_of(self, user_id: str) -> list[str]:
        """See store.places.Places.conversations_of."""


class News:
    """Between this instance's hub and the bus. In groups of at most `receipt_members` all get receipts."""

    def __init__(
        self, reactor: Any, hub: Hub, places: Places, bus: Bus, outbox: Outbox, receipt_members: int
    ) -> None:
        self._reactor = reactor
        self._hub = hub
        self._places = places
        self._bus = bus
        self._outbox = outbox
        self._receipt_members = receipt_members
        self._origin = new_id()
        self._lapses: dict[tuple[str, str], Any] = {}  # by device and conversation: when it is typing no more
        hub.on_attached(self._tell_attached)
        bus.on(events.HEADS, self._hear_heads)
        bus.on(events.BATCH, self._hear_batch)
        bus.on(events.DEVICE, self._hear_device)
        bus.on(events.PREKEYS, self._hear_prekeys)
        bus.on(events.TOLD, self._hear_told)
        bus.on(events.ATTACHED, self._hear_attached)
        bus.on_gap(hub.heal)

    # messages and changes

    def committed(self, event_id: str, drafts: list[tuple[Draft, Outcome]]) -> None:
        """Messages that this instance has just committed under `event_id`: deliver here, tell the others."""
        items: list[_Item] = []
        size = 0
        for draft, outcome in drafts:
            stored = Stored(
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
            self._hub.offer(stored, outcome.change)
        if size <= MAX_PAYLOAD:
            self._outbox.send(event_id, events.BATCH, _pack.encode(items))
        else:
            latest = {item.conversation_id: item for item in items}
            heads = [
                events.ConversationHead(conversation_id=name, seq=item.seq, change=item.change)
                for name, item in latest.items()
            ]
            self.changed(event_id, events.Heads(heads=heads))

    def changed(self, event_id: str, heads: events.Heads) -> None:
        """Conversations that this instance has just moved under `event_id`: look here, tell the others."""
        self._take_heads(heads)
        self._outbox.send(event_id, events.HEADS, encode(heads))

    def _hear_batch(self, _subject: str, payload: bytes) -> None:
        for item in _batch.decode(payload):
            if self._hub.wants(item.conversation_id, Head(item.seq, item.change)):
                self._hub.offer(_stored.decode(item.message), item.change)

    def _hear_heads(self, _subject: str, payload: bytes) -> None:
        self._take_heads(_heads_event.decode(payload))

    def _take_heads(self, event: events.Heads) -> None:
        for moved in event.heads:
            self._hub.reach(moved.conversation_id, Head(moved.seq, moved.change))
            for user_id in event.users:
                self._hub.join(user_id, moved.conversation_id)

    # devices

    def _tell_attached(self, connection: Connection) -> None:
        attached = events.Attached(
            origin=self._origin, device_id=connection.device_id, moment=connection.since
        )
        self._bus.tell(events.ATTACHED, encode(attached))

    def _hear_attached(self, _subject: str, payload: bytes) -> None:
        event = _attached_event.decode(payload)
        mine = self._hub.socket_of(event.device_id)
        if mine is not None and (mine.since, self._origin) < (event.moment, event.origin):
            mine.close(frames.TAKEN_OVER, "a newer socket of this device has taken over")

    def _hear_device(self, _subject: str, payload: bytes) -> None:
        event = _device_event.decode(payload)
        if event.event == "removed":
            mine = self._hub.socket_of(event.device_id)
            if mine is not None:
                mine.close(frames.TOKEN_EXPIRED, "the device was removed")
        ensureDeferred(self._tell_device(event))

    async def _tell_device(self, event: events.DeviceChanged) -> None:
        """Tell those here who share a conversation with the device's user, and its other devices."""
        try:
            names = await self._places.conversations_of(event.user_id)
        except Problem as problem:
            log.warn("a device's change stays untold: {detail}", detail=problem.detail)
            return
        reached = set(self._hub.sockets_of(event.user_id))
        for name in names:
            reached.update(self._hub.sockets_in(name))
        frame = encode(
            frames.DeviceFrame(event=event.event, user_id=event.user_id, device_id=event.device_id)
        )
        for connection in reached:
            if connection.device_id != event.device_id:
                connection.send(frame)

    def _hear_prekeys(self, _subject: str, payload: bytes) -> None:
        event = _prekeys_event.decode(payload)
        connection = self._hub.socket_of(event.device_id)
        if connection is not None:
            connection.say(frames.PrekeysFrame(one_time_prekeys=event.one_time_prekeys))

    # what may be lost

    def typing(self, connection: Connection, conversation_id: str, is_typing: bool) -> None:
        """A member is typing: for the other members, if it is one. What is not said again lapses."""
        if connection not in self._hub.sockets_in(conversation_id):
            return
        who = (connection.device_id, conversation_id)
        lapse = self._lapses.pop(who, None)
        if lapse is not None:
            lapse.cancel()
        if is_typing:
            self._lapses[who] = self._reactor.callLater(
                TYPING_SECONDS, self._lapse, connection.identity.user_id, *who
            )
        self._tell_typing(connection.identity.user_id, *who, is_typing)

    def _lapse(self, user_id: str, device_id: str, conversation_id: str) -> None:
        del self._lapses[(device_id, conversation_id)]
        self._tell_typing(user_id, device_id, conversation_id, False)

    def _tell_typing(self, user_id: str, device_id: str, conversation_id: str, is_typing: bool) -> None:
        frame = frames.TypingFrame(conversation_id=conversation_id, user_id=user_id, is_typing=is_typing)
        self._tell(
            events.Told(
                origin=self._origin,
                conversation_id=conversation_id,
                user_id=user_id,
                device_id=device_id,
                others=True,
                own=False,
                frame=msgspec.Raw(encode(frame)),
            )
        )

    def risen(self, kind: Literal["delivered", "read"], members: Sequence[Risen]) -> None:
        """Members have come further: receipts for their own other devices, and in small groups for all."""
        for member in members:
            frame = frames.Receipt(
                kind=kind,
                conversation_id=member.conversation_id,
                user_id=member.user_id,
                seq=member.seq,
            )
            self._tell(
                events.Told(
                    origin=self._origin,
                    conversation_id=member.conversation_id,
                    user_id=member.user_id,
                    device_id=member.device_id,
                    others=member.member_count <= self._receipt_members,
                    own=True,
                    frame=msgspec.Raw(encode(frame)),
                )
            )

    def _tell(self, told: events.Told) -> None:
        self._tell_here(told)
        self._bus.tell(events.TOLD, encode(told))

    def _hear_told(self, _subject: str, payload: bytes) -> None:
        told = _told_event.decode(payload)
        if told.origin != self._origin:
            self._tell_here(told)

    def _tell_here(self, told: events.Told) -> None:
        for connection in list(self._hub.sockets_in(told.conversation_id)):
            same = connection.identity.user_id == told.user_id
            if (told.own if same else told.others) and connection.device_id != told.device_id:
                connection.send(bytes(told.frame))
