"""A message has come: is it what the server says, who wrote it, and what does it say?

One message is taken in inside a transaction: its place, the ratchet states that opened it, its plaintext and
the event that tells of it are committed together, and only then acknowledged. Whatever is wrong with it
becomes an event; nothing that a server sends makes this raise.
"""

from dataclasses import dataclass, field

from messenger.client import events
from messenger.client.e2e import (
    AccountGrant,
    FileBody,
    Gap,
    Late,
    Payload,
    Progress,
    ReceivedChains,
    ResendRequests,
    Text,
    Unknown,
    body_of,
    chain_id_of,
    claimed,
)
from messenger.client.e2e.errors import (
    AuthenticationFailed,
    BadSenderSignature,
    ConversationMismatch,
    EncryptionError,
    Malformed,
    NotApprovedYet,
    ReplayedMessage,
    UncertifiedDevice,
    UnknownSenderKey,
)
from messenger.client.engine import controls
from messenger.client.engine.naming import reason_of
from messenger.client.engine.settling import settle
from messenger.client.engine.vault import Shelf
from messenger.client.store.conversations import PLACES_KEPT, Row
from messenger.wire.conversations import Message

CONTROL = "control"


@dataclass(slots=True)
class Batch:
    """What becomes of some messages besides what is stored: acknowledgements, and who has to be woken."""

    now: float
    moment: str  # the same, as RFC 3339
    acks: dict[str, int] = field(default_factory=dict)
    wake: set[str] = field(default_factory=set)
    approved: bool = False


def take_message(shelf: Shelf, batch: Batch, message: Message) -> None:
    """Take one message in. Its conversation is known, and its sender's keys were asked for."""
    row = shelf.conversations.get(message.conversation_id)
    assert row is not None
    batch.acks[row.conversation_id] = max(message.seq, batch.acks.get(row.conversation_id, 0))
    if not _is_news(shelf, row, message):
        return
    place = row.place if row.place is not None else message.seq - 1
    _tell_holes(shelf, row, place, message.seq)
    shelf.conversations.put_place(
        row.conversation_id, message.seq, message.sender_device_id, message.client_id
    )
    shelf.conversations.set(row.conversation_id, place=max(place, message.seq))
    if message.sender_device_id == shelf.device_id:
        _take_own(shelf, message)
    elif message.content is None and message.envelope is None:
        _take_empty(shelf, message)
    else:
        _take_sealed(shelf, batch, row, message)


def _is_news(shelf: Shelf, row: Row, message: Message) -> bool:
    known = shelf.conversations.place(row.conversation_id, message.seq)
    if known is not None:
        if known != (message.sender_device_id, message.client_id):
            detail = f"The server has put another message at place {message.seq} than it held before."
            _warn(shelf, message, events.HistoryRewritten, "replaced", detail)
        elif message.deleted:
            delete(shelf, row.conversation_id, message.seq, None)
        return False
    if row.place is not None and message.seq <= row.place:
        if message.seq <= row.place - PLACES_KEPT:
            return False  # that far back nothing is remembered
        detail = f"Place {message.seq} comes after place {row.place}."
        _warn(shelf, message, events.MessagesReordered, "place_came_late", detail)
    return True


def _tell_holes(shelf: Shelf, row: Row, place: int, seq: int) -> None:
    holes = shelf.conversations.holes(row.conversation_id, place, seq) if seq > place + 1 else []
    if holes:
        shelf.tell(
            events.MessagesMissing(
                conversation_id=row.conversation_id,
                seq=holes[0],
                count=len(holes),
                reason="places_missing",
                detail=f"The server does not give out {len(holes)} places from {holes[0]} on.",
            )
        )


def _take_own(shelf: Shelf, message: Message) -> None:
    queued = shelf.outbox.get(message.client_id)
    if queued is not None and queued.conversation_id == message.conversation_id and queued.attempts:
        settle(shelf, queued, message.seq, message.created_at)
        return
    detail = "The server presents a message as this device's that it has not sent."
    _warn(shelf, message, events.MessageRejected, "reflected", detail)


def _take_empty(shelf: Shelf, message: Message) -> None:
    """A place without anything to read: deleted or expired as the server says, or meant for other devices."""
    if message.kind != CONTROL:
        _pass_over(shelf, message)
        shelf.tell(
            events.MessageDeleted(
                conversation_id=message.conversation_id,
                message_id=None,
                seq=message.seq,
                by=message.sender_id,
            )
        )


def _take_sealed(shelf: Shelf, batch: Batch, row: Row, message: Message) -> None:
    try:
        payload = _open(shelf, batch, row, message)
        _take_payload(shelf, batch, row, message, payload)
    except EncryptionError as error:
        _pass_over(shelf, message)
        named = not error.asks_resend or isinstance(error, AuthenticationFailed | BadSenderSignature)
        if named:
            _warn(shelf, message, events.MessageRejected, reason_of(error), str(error))
        if error.asks_resend:
            _ask_again(shelf, batch, row, message, str(error))


def _open(shelf: Shelf, batch: Batch, row: Row, message: Message) -> Payload:
    said = claimed(message)
    keys = shelf.keys()
    user_id = message.sender_id or shelf.sessions("", message.sender_device_id).user_id
    if row.type == "direct" and user_id not in (row.peer_id, shelf.user_id):
        raise UncertifiedDevice("Somebody who is not in this conversation writes in it.")
    known = controls.provisional(shelf, user_id) or shelf.known(user_id)
    device = known.device(message.sender_device_id)
    if message.envelope is not None:
        sessions = shelf.sessions(user_id, device.device_id)
        opened = sessions.open(keys, device, message.envelope, said, now=batch.now)
        shelf.states.save(device.device_id, sessions)
        if opened.keys_changed:
            shelf.states.save("own", keys)
        payload = opened.payload
    else:
        assert message.content is not None
        name = f"{row.conversation_id}/{device.device_id}"
        chains = shelf.states.get(ReceivedChains, name)
        if chains is None:
            chains = ReceivedChains(row.conversation_id, user_id, device.device_id)
        try:
            payload = chains.open(keys, message.content, said)
        except UnknownSenderKey:
            _check_not_refiled(shelf, message)
            raise
        shelf.states.save(name, chains)
    if payload.kem and not device.kem and known is shelf.known(user_id):
        known.saw_kem(device.device_id)
        shelf.states.save(user_id, known)
    return payload


def _check_not_refiled(shelf: Shelf, message: Message) -> None:
    """A chain that its sender has given for another conversation tells where the content comes from."""
    chain_id = chain_id_of(message.content or b"")
    for name in shelf.states.keys(ReceivedChains):
        chains = shelf.states.get(ReceivedChains, name)
        if chains is not None and chain_id in chains.chain_ids:
            raise ConversationMismatch("The server presents a message of another conversation.")


def _take_payload(shelf: Shelf, batch: Batch, row: Row, message: Message, payload: Payload) -> None:
    body = body_of(payload)
    if isinstance(body, Text | FileBody) == (payload.kind == CONTROL) and not isinstance(body, Unknown):
        raise Malformed("The message says another thing than its kind.")
    unjudged = payload.sender_id == shelf.user_id and not controls.approved(shelf)
    if unjudged and not isinstance(body, AccountGrant):
        # Asked for again once the grant is here, which comes behind the certificate that others go by.
        raise NotApprovedYet("Nothing vouches for this device's siblings before it is approved.")
    if payload.number:
        _see(shelf, message, payload.number)
    if isinstance(body, Text | FileBody):
        store(shelf, batch, row, payload, body, message.seq, message)
        return
    again = controls.obey(shelf, batch, row, payload, body)
    if again is None:
        return
    original, seq = again
    if original.number:
        progress = _progress(shelf, original.conversation_id, original.sender_device_id)
        progress.see(original.number)
    found = body_of(original)
    if isinstance(found, Text | FileBody):
        store(shelf, batch, row, original, found, seq, message, late=True)
    else:
        controls.obey(shelf, batch, row, original, found)


def store(
    shelf: Shelf,
    batch: Batch,
    row: Row,
    payload: Payload,
    body: Text | FileBody,
    seq: int,
    message: Message,
    *,
    late: bool = False,
) -> None:
    """Write a message down, and tell of it."""
    if shelf.messages.find(payload.conversation_id, payload.sender_device_id, payload.client_id):
        raise ReplayedMessage("A message comes for the second time.")
    outgoing = payload.sender_id == shelf.user_id
    number = shelf.messages.add(
        conversation_id=payload.conversation_id,
        client_id=payload.client_id,
        sender_id=payload.sender_id,
        sender_device_id=payload.sender_device_id,
        seq=seq,
        kind=payload.kind,
        text=body.text,
        file=body.file if isinstance(body, FileBody) else None,
        reply_to=body.reply_to if isinstance(body, Text) else None,
        outgoing=outgoing,
        sent_at=payload.sent_at,
        received_at=batch.moment,
        created_at=message.created_at,
        state="sent" if outgoing else "received",
        late=late,
        expires_at=message.expires_at,
    )
    shelf.conversations.touch(row.conversation_id, int(batch.now * 1000))
    stored = shelf.messages.get(number)
    assert stored is not None
    shelf.tell(events.MessageReceived(message=stored))


# the sender's own numbers


def _progress(shelf: Shelf, conversation_id: str, device_id: str) -> Progress:
    name = f"{conversation_id}/{device_id}"
    found = shelf.states.get(Progress, name) or Progress()
    shelf.states.save(name, found)
    return found


def _see(shelf: Shelf, message: Message, number: int) -> None:
    verdict = _progress(shelf, message.conversation_id, message.sender_device_id).see(number)
    if isinstance(verdict, Gap):
        count = sum(last - first + 1 for first, last in verdict.missing)
        if count > verdict.excused:
            first, last = verdict.missing[0][0], verdict.missing[-1][1]
            detail = f"The sender's messages {first} to {last} were held back."
            _warn(shelf, message, events.MessagesMissing, "held_back", detail, count=count - verdict.excused)
    elif isinstance(verdict, Late):
        detail = f"The sender's message {number} comes after later ones."
        _warn(shelf, message, events.MessagesReordered, "reordered", detail)


def _pass_over(shelf: Shelf, message: Message) -> None:
    _progress(shelf, message.conversation_id, message.sender_device_id).pass_over()


def _ask_again(shelf: Shelf, batch: Batch, row: Row, message: Message, why: str) -> None:
    requests = shelf.states.get(ResendRequests, "own") or ResendRequests()
    body = requests.ask(claimed(message), message.seq, now=batch.now)
    shelf.states.save("own", requests)
    if body is None:
        _warn(shelf, message, events.MessagesLost, "undecryptable", f"A message is lost: {why}", count=None)
        return
    controls.queue(shelf, batch, row.conversation_id, body, [message.sender_device_id], fresh=True)


# telling


def delete(shelf: Shelf, conversation_id: str, seq: int, by: str | None) -> None:
    """Take a message's content away, if this device has it."""
    message = shelf.messages.at(conversation_id, seq)
    if message is None or message.state == "deleted":
        return
    shelf.messages.erase(int(message.id))
    shelf.tell(events.MessageDeleted(conversation_id=conversation_id, message_id=message.id, seq=seq, by=by))


def _warn(
    shelf: Shelf,
    message: Message,
    kind: type[events.ServerWarning],
    reason: str,
    detail: str,
    count: int | None = None,
) -> None:
    more = {} if count is None else {"count": count}
    warning = kind(
        conversation_id=message.conversation_id,
        user_id=message.sender_id,
        username=shelf.conversations.name(message.sender_id),
        device_id=message.sender_device_id,
        seq=message.seq,
        reason=reason,
        detail=detail,
        **more,
    )
    shelf.tell(warning)  # type: ignore[arg-type]
