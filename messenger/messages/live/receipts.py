"""Receipts: how far members have come, for who shares a conversation with them. They may be lost.

What one flush of cursors has moved (messages/progress.py) is told in one event to each of the other instances
that has users whom some of it concerns. A frame is made only where a socket here is to have it.
"""

from collections.abc import Iterable, Sequence

from messenger.core.bus.connection import Bus
from messenger.core.ids import new_id
from messenger.messages.live.audience import Audience
from messenger.messages.live.hub import Hub
from messenger.messages.model import Risen
from messenger.wire import events, frames
from messenger.wire.codec import Decoder, encode
from messenger.wire.shards import shards_of

MOST = 2_000  # in one event: some 150 bytes each, so a third of what the bus takes

_event = Decoder[events.Receipts](events.Receipts)


class Receipts:
    """Between sockets, here and elsewhere. In groups of at most `receipt_members` all get receipts, in others
    the member's own other devices."""

    def __init__(self, hub: Hub, audience: Audience, bus: Bus, receipt_members: int) -> None:
        self._hub = hub
        self._audience = audience
        self._bus = bus
        self._receipt_members = receipt_members
        self._origin = new_id()
        bus.on(events.RECEIPTS, self._hear, own=True)

    def risen(self, delivered: Sequence[Risen], read: Sequence[Risen]) -> None:
        """Members have come further, in what was delivered to them and in what they have read."""
        receipts = [self._receipt("delivered", one) for one in delivered]
        receipts += [self._receipt("read", one) for one in read]
        self._tell_here(receipts)
        for subject, some in self._bus.split(events.RECEIPTS, receipts, self._concerns):
            for start in range(0, len(some), MOST):
                event = events.Receipts(origin=self._origin, receipts=some[start : start + MOST])
                self._bus.tell(subject, encode(event))

    def _concerns(self, receipt: events.Receipt) -> int | None:
        if receipt.others:
            return self._audience.of(receipt.conversation_id)
        return shards_of((receipt.user_id,))

    def _receipt(self, kind: events.ReceiptKind, risen: Risen) -> events.Receipt:
        return events.Receipt(
            kind=kind,
            conversation_id=risen.conversation_id,
            user_id=risen.user_id,
            device_id=risen.device_id,
            seq=risen.seq,
            others=risen.member_count <= self._receipt_members,
        )

    def _hear(self, _subject: str, payload: bytes) -> None:
        event = _event.decode(payload)
        if event.origin != self._origin:
            self._tell_here(event.receipts)

    def _tell_here(self, receipts: Iterable[events.Receipt]) -> None:
        for receipt in receipts:
            frame: bytes | None = None
            for connection in self._hub.sockets_in(receipt.conversation_id):
                if receipt.user_id in connection.apart or connection.device_id == receipt.device_id:
                    continue  # a block stands between the two, or it has said so itself
                if receipt.others or connection.user_id == receipt.user_id:
                    frame = frame or _frame(receipt)
                    connection.send(frame)


def _frame(receipt: events.Receipt) -> bytes:
    return encode(
        frames.Receipt(
            kind=receipt.kind,
            conversation_id=receipt.conversation_id,
            user_id=receipt.user_id,
            seq=receipt.seq,
        )
    )
