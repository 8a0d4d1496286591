"""The server's database has another history: a standby has taken over, which may have been behind.

What was acknowledged last may be gone, and other messages may stand at its places. So what this device has
seen of the last minutes is in doubt until it shows again; a message that shows again is the one that is here,
and is neither opened nor told twice. What this device sent in these minutes goes out again, as the same bytes
under the same client_ids.

The server says by a word in `hello` that this has happened, and might lie. It gains no more than it could do
to a device that had been away for these minutes: what lies further back stands, no key opens anything twice,
and each such word is told to the user (`HistoryRestarted`). What was in doubt and was not disputed within
DOUBT_SECONDS stands again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from messenger.client import events
from messenger.client.e2e import Known, ResendRequest, SentMessage
from messenger.client.e2e.bodies import encode_body
from messenger.client.engine import order
from messenger.client.engine.vault import Store
from messenger.client.store.conversations import Row
from messenger.client.store.outbox import Queued
from messenger.wire.conversations import Message

LOST_SECONDS = 600.0  # what is older is not lost by a failover
DOUBT_SECONDS = 600.0
_EPOCH, _SEEN = "epoch", "epoch_seen"


@dataclass(frozen=True, slots=True)
class End:
    """Where a conversation ends, as the server says."""

    seq: int
    change: int


def is_known(store: Store, epoch: str, now: float) -> bool:
    """Whether the server's history is the one that was seen last, or the first that is seen."""
    known = store.account.get(_EPOCH)
    if known is not None and epoch not in ("", known):
        return False
    if epoch:
        store.account.set(_EPOCH, epoch)
        still_seen(store, now)
    return True


def still_seen(store: Store, now: float) -> None:
    """The connection stands: the history is what it was until now."""
    store.account.set(_SEEN, str(int(now)))
    store.history.prune(now - LOST_SECONDS)
    store.history.end_doubts(now)


def begin(store: Store, epoch: str, ends: Mapping[str, End], now: float) -> None:
    """Another history begins, in which conversations end where `ends` says."""
    since = float(store.account.get(_SEEN) or now) - LOST_SECONDS
    store.account.set(_EPOCH, epoch)
    store.account.set(_SEEN, str(int(now)))
    doubted = 0
    for row in store.conversations.all():
        end = ends.get(row.conversation_id)
        if end is not None:
            doubted += _doubt(store, row, end, since, now)
    again = _send_again(store)
    detail = "The server says that its database was replaced by a copy, which may lack the last minutes."
    store.tell(events.HistoryRestarted(doubted=doubted, sent_again=again, detail=detail))


def _doubt(store: Store, row: Row, end: End, since: float, now: float) -> int:
    """Forget what may be gone of a conversation; how many places these are."""
    name, place = row.conversation_id, row.place
    first = store.history.doubt(name, since, now + DOUBT_SECONDS)
    if row.change_place is not None:
        store.conversations.set(name, change_place=min(row.change_place, end.change))
    if first is None or place is None:
        return 0
    store.conversations.set(name, doubt_from=first, doubt_until=int(now + DOUBT_SECONDS))
    # Places above the end that a failover does not explain stand, and what comes there is told.
    store.conversations.set(name, place=min(place, max(end.seq, first - 1)))
    return len(store.history.doubted(name, place))


def _send_again(store: Store) -> int:
    count = 0
    for client_id, kind in store.history.answered():
        sent = store.states.get(SentMessage, client_id)
        if sent is None and kind != "control":
            store.history.drop(client_id)  # it was taken away meanwhile
            continue
        # What a device has said to one that asked has nothing here that says it again: the bytes do.
        body = ResendRequest(client_id=client_id) if sent is None else cast(Known, sent.body())
        store.history.send_again(client_id, bytes(encode_body(body)))
        count += 1
    return count


def came_before(store: Store, row: Row, message: Message) -> bool:
    """Whether a message that shows at a place is one that was taken in before the history changed."""
    name = row.conversation_id
    if not store.history.came_before(name, message.sender_device_id, message.client_id):
        return False
    known = store.messages.find(name, message.sender_device_id, message.client_id)
    if known is not None:
        store.messages.moved(int(known.id), message.seq)
    if message.deleted:
        order.gone(store, name, message.seq)
    return True


def settled_again(store: Store, queued: Queued, seq: int) -> None:
    """An own message that went out again has its place, perhaps the one that it had."""
    store.history.came_before(queued.conversation_id, store.device_id, queued.client_id)
    message = store.messages.find(queued.conversation_id, store.device_id, queued.client_id)
    if message is not None:
        store.messages.moved(int(message.id), seq)
