"""Is anything missing, moved or replaced? Places by the server's numbers, messages by their senders' own."""

import time

from messenger.client import events
from messenger.client.e2e import Gap, Late, Payload, Progress, ResendRequests
from messenger.client.e2e.payload import Seen
from messenger.client.e2e.seen import MOST, differs, seen_of
from messenger.client.engine.telling import warn, warn_of
from messenger.client.engine.vault import Store
from messenger.client.store.conversations import PLACES_KEPT, Row
from messenger.wire.conversations import Message
from messenger.wire.times import rfc3339


def take_place(store: Store, row: Row, message: Message) -> bool:
    """Write down who wrote at a place, and tell of holes; False where the place was known before."""
    known = store.conversations.place(row.conversation_id, message.seq)
    if known is not None:
        if known != (message.sender_device_id, message.client_id):
            detail = f"The server has put another message at place {message.seq} than it held before."
            warn(store, message, events.HistoryRewritten, "replaced", detail)
        elif message.deleted:
            gone(store, row.conversation_id, message.seq)
        return False
    place = row.place if row.place is not None else message.seq - 1
    if message.seq <= place and not _in_doubt(row, message.seq):
        if message.seq <= place - PLACES_KEPT:
            return False  # that far back nothing is remembered
        detail = f"Place {message.seq} comes after place {place}."
        warn(store, message, events.MessagesReordered, "place_came_late", detail)
    elif message.seq > place + 1:
        _tell_holes(store, row, place, message.seq)
    store.conversations.put_place(
        row.conversation_id, message.seq, message.sender_device_id, message.client_id
    )
    store.conversations.set(row.conversation_id, place=max(place, message.seq))
    return True


def _in_doubt(row: Row, seq: int) -> bool:
    """Whether the history has changed a short while ago, from this place or an earlier one on."""
    if row.doubt_from is None or row.doubt_until is None:
        return False
    return seq >= row.doubt_from and time.time() < row.doubt_until


def _tell_holes(store: Store, row: Row, place: int, seq: int) -> None:
    holes = store.conversations.holes(row.conversation_id, place, seq)
    if holes:
        store.tell(
            events.MessagesMissing(
                conversation_id=row.conversation_id,
                seq=holes[0],
                count=len(holes),
                reason="places_missing",
                detail=f"The server does not give out {len(holes)} places from {holes[0]} on.",
            )
        )


def gone(store: Store, conversation_id: str, seq: int) -> None:
    """The server says that a message was deleted or has expired: that is told, and removes nothing here."""
    message = store.messages.at(conversation_id, seq)
    if message is not None and (message.state == "deleted" or message.gone):
        return
    if message is not None:
        store.messages.set_gone(int(message.id))
    store.tell(
        events.GoneFromServer(
            conversation_id=conversation_id, message_id=None if message is None else message.id, seq=seq
        )
    )


# the sender's own numbers


def progress_of(store: Store, conversation_id: str, device_id: str) -> Progress:
    """How far a device has come in a conversation; to be changed, and stored with the transaction."""
    name = f"{conversation_id}/{device_id}"
    found = store.states.get(Progress, name) or Progress()
    store.states.save(name, found)
    return found


def go_away(store: Store, conversation_id: str) -> None:
    """This user is in a group no more: if it comes back, each sender names its next number with a chain."""
    for name in store.states.keys(Progress):
        progress = store.states.get(Progress, name) if name.startswith(f"{conversation_id}/") else None
        if progress is not None:
            progress.go_away()
            store.states.save(name, progress)


def see_number(store: Store, message: Message, number: int, *, again: bool = False) -> None:
    """Compare the sender's own number with what came before. ReplayedMessage. `again`: it was asked for, so
    that it comes late of course."""
    requests = store.states.get(ResendRequests, "own")
    waiting = requests is not None and requests.open_to(message.conversation_id, message.sender_device_id)
    verdict = progress_of(store, message.conversation_id, message.sender_device_id).see(
        number, waiting=waiting
    )
    if isinstance(verdict, Gap) and verdict.untold:
        first, last = verdict.missing[0][0], verdict.missing[-1][1]
        detail = f"The sender's messages {first} to {last} were held back."
        warn(store, message, events.MessagesMissing, "held_back", detail, count=verdict.untold)
    elif isinstance(verdict, Late) and not again:
        detail = f"The sender's message {number} comes after later ones."
        warn(store, message, events.MessagesReordered, "reordered", detail)


def question_ended(
    store: Store, conversation_id: str, device_id: str, user_id: str | None, *, late: bool = False
) -> None:
    """Where no message of a device is asked for any more, tell what is still missing of it. `late`: after a
    day without an answer also while others are asked for, or the server could keep questions open."""
    requests = store.states.get(ResendRequests, "own")
    if not late and requests is not None and requests.open_to(conversation_id, device_id):
        return
    for first, last in progress_of(store, conversation_id, device_id).question_ended():
        warn_of(
            store,
            events.MessagesMissing,
            "held_back",
            f"The sender's messages {first} to {last} were held back.",
            conversation_id=conversation_id,
            user_id=user_id,
            device_id=device_id,
            seq=None,
            count=last - first + 1,
        )


# what others were shown


def seen(store: Store, row: Row) -> Seen | None:
    """What this device holds at the last places of a conversation."""
    if row.place is None:
        return None
    places = store.conversations.places(row.conversation_id, row.place - MOST + 1, row.place)
    return seen_of(row.conversation_id, places)


def _of_a_lost_history(store: Store, payload: Payload, said: Seen) -> bool:
    """Whether this was written before its sender knew that the history had changed, of places since then: a
    message that goes out again says what it said."""
    row = store.conversations.get(payload.conversation_id)
    if row is None or row.doubt_from is None or row.doubt_until is None or said.seq < row.doubt_from:
        return False
    return payload.sent_at < rfc3339(row.doubt_until * 1000)


def compare_seen(store: Store, message: Message, payload: Payload) -> None:
    """Compare what a sender holds with what is here; another history is told, once until they agree again."""
    said = payload.seen
    if said is None or _of_a_lost_history(store, payload, said):
        return
    places = []
    if said.first <= said.seq < said.first + MOST:
        places = store.conversations.places(payload.conversation_id, said.first, said.seq)
    told = f"differs/{payload.conversation_id}/{payload.sender_device_id}"
    if not differs(said, payload.conversation_id, message.seq, places):
        if places and store.account.get(told) is not None:
            store.account.set(told, None)
        return
    if store.account.get(told) is None:
        store.account.set(told, "told")
        detail = f"The sender was shown another history up to place {said.seq} than this device."
        warn(store, message, events.HistoryDiffers, "another_history", detail)
