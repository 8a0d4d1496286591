"""A message has come: is it what the server says, who wrote it, and what does it say?

One message is taken in inside a transaction: its place, the ratchet states that opened it, its plaintext and
the event that tells of it are committed together, and only then acknowledged. Whatever is wrong with it
becomes an event; nothing that a server sends makes this raise, but `Behind`: then the server is asked first.
"""

from messenger.client import events
from messenger.client.e2e import (
    AccountGrant,
    FileBody,
    KnownUser,
    Payload,
    ReceivedChains,
    Resent,
    SenderKey,
    Text,
    Unknown,
    begins_session,
    body_of,
    chain_id_of,
    claimed,
)
from messenger.client.e2e.bodies import (
    Body,
    MessageReference,
    MetadataKey,
    ResendRequest,
    RosterBody,
    RosterRequest,
)
from messenger.client.e2e.errors import (
    AuthenticationFailed,
    BadSenderSignature,
    ConversationMismatch,
    EncryptionError,
    Malformed,
    NotApprovedYet,
    NotInAudience,
    OldDeviceList,
    ReplayedMessage,
    SenderKeyRefused,
    UnknownSenderKey,
    UnlistedDevice,
)
from messenger.client.e2e.primitives import id_bytes
from messenger.client.engine import approval, history, order, resends, rosters
from messenger.client.engine.audience import check_writer
from messenger.client.engine.batch import Batch
from messenger.client.engine.naming import reason_of
from messenger.client.engine.obeying import obey
from messenger.client.engine.restoring import take_own
from messenger.client.engine.telling import warn
from messenger.client.engine.vault import Store
from messenger.client.store.conversations import Row
from messenger.wire.conversations import Message
from messenger.wire.times import rfc3339

CONTROL = "control"
# What devices say to each other pairwise in a group; all the rest goes to everybody, by sender key.
PAIRWISE = SenderKey | ResendRequest | Resent | MetadataKey | RosterBody | RosterRequest


class Behind(Exception):
    """A message speaks of a newer device list than is known: the user's keys have to be asked for first."""

    def __init__(self, user_id: str) -> None:
        super().__init__(user_id)
        self.user_id = user_id


def take_message(store: Store, batch: Batch, message: Message) -> None:
    """Take one message in. Its conversation is known, and its sender's keys were asked for. Behind."""
    row = store.conversations.get(message.conversation_id)
    assert row is not None
    batch.acks[row.conversation_id] = max(message.seq, batch.acks.get(row.conversation_id, 0))
    try:
        id_bytes(message.sender_device_id)
        id_bytes(message.client_id)
    except Malformed as error:
        warn(store, message, events.MessageRejected, reason_of(error), str(error))
        return
    if not order.take_place(store, row, message) or history.came_before(store, row, message):
        return
    if message.sender_device_id == store.device_id:
        take_own(store, batch, row, message)
    elif message.content is None and message.envelope is None:
        _take_empty(store, message)
    else:
        _take_sealed(store, batch, row, message)


def _take_empty(store: Store, message: Message) -> None:
    """A place without anything to read: for other devices, or deleted or expired, as the server says."""
    if message.kind != CONTROL and (message.deleted or message.expires_at is not None):
        order.progress_of(store, message.conversation_id, message.sender_device_id).pass_over()
        order.gone(store, message.conversation_id, message.seq)


def _take_sealed(store: Store, batch: Batch, row: Row, message: Message) -> None:
    known = rosters.of(store, row.conversation_id)
    if row.type == "group" and message.envelope is None and known.current is None:
        if not rosters.park(store, message):
            detail = "Too many messages wait for the group's roster."
            warn(store, message, events.MessagesLost, "no_roster", detail)
        return
    if row.type == "group" and rosters.writer_awaited(store, message) and rosters.park(store, message):
        return
    try:
        payload = _open(store, batch, row, message)
        _take_payload(store, batch, row, message, payload)
    except EncryptionError as error:
        if isinstance(error, UnknownSenderKey) and message.seq < known.first_seq:
            return  # from before this device was in the group
        named = not error.asks_resend or isinstance(error, AuthenticationFailed | BadSenderSignature)
        if named:
            warn(store, message, events.MessageRejected, reason_of(error), str(error))
        if error.asks_resend:
            resends.ask_again(store, batch, row, message, str(error))


def _open(store: Store, batch: Batch, row: Row, message: Message) -> Payload:
    user_id = message.sender_id or store.sessions("", message.sender_device_id).user_id
    check_writer(store, row, user_id)
    known = approval.provisional(store, user_id) or store.known(user_id)
    device = known.writer(message.sender_device_id)
    if not device.listed and message.envelope is not None and begins_session(message.envelope):
        raise UnlistedDevice("A device that was removed by its user begins a session.")
    if message.envelope is not None:
        keys = store.keys()
        sessions = store.sessions(user_id, device.device_id)
        opened = sessions.open(keys, device, message.envelope, claimed(message), now=batch.now)
        store.states.save(device.device_id, sessions)
        if opened.keys_changed:
            store.states.save("own", keys)
        payload = opened.payload
    else:
        payload = _open_content(store, row, message, user_id)
    _check_list(store, batch, known, payload)
    content = isinstance(body_of(payload), Text | FileBody)
    known.check_late(device, payload.list_version, content=content, now=batch.now)
    return payload


def _open_content(store: Store, row: Row, message: Message, user_id: str) -> Payload:
    """Open a group's content, by a chain whose owner was in the roster at this place."""
    assert message.content is not None
    if row.type == "group":
        try:
            rosters.check_speaker(store, row, user_id, message.seq)
        except NotInAudience as error:
            raise SenderKeyRefused(str(error)) from None
    name = f"{row.conversation_id}/{message.sender_device_id}"
    chains = store.states.get(ReceivedChains, name)
    if chains is None:
        chains = ReceivedChains(row.conversation_id, user_id, message.sender_device_id)
    try:
        payload = chains.open(store.keys(), message.content, claimed(message))
    except UnknownSenderKey:
        _check_not_refiled(store, message)
        raise
    store.states.save(name, chains)
    return payload


def _check_list(store: Store, batch: Batch, known: KnownUser, payload: Payload) -> None:
    """A sender that knows a newer list of its user's devices is shown once that is here."""
    if payload.list_version <= known.list_version:
        return
    if known.user_id not in batch.asked:
        raise Behind(known.user_id)
    if approval.provisional(store, known.user_id) is None:
        known.name_list(payload.list_version)
        store.states.save(known.user_id, known)
    raise OldDeviceList("The server holds back the newest list of the sender's devices.")


def _check_not_refiled(store: Store, message: Message) -> None:
    """A chain that its sender has given for another conversation tells where the content comes from."""
    chain_id = chain_id_of(message.content or b"")
    for name in store.states.keys(ReceivedChains):
        chains = store.states.get(ReceivedChains, name)
        if chains is not None and chain_id in chains.chain_ids:
            raise ConversationMismatch("The server presents a message of another conversation.")


def _take_payload(store: Store, batch: Batch, row: Row, message: Message, payload: Payload) -> None:
    body = body_of(payload)
    own = payload.sender_id == store.user_id
    if own and not approval.judges_own(store) and not isinstance(body, AccountGrant):
        # Asked for again once the grant is here, which comes behind the list that others go by.
        raise NotApprovedYet("Nothing vouches for this device's siblings before it is approved.")
    _check_body(store, row, message, payload, body)
    if payload.number:
        order.see_number(store, message, payload.number)
    order.compare_seen(store, message, payload)
    if row.type == "group" and not isinstance(body, RosterBody):  # which brings what its mark names
        rosters.check_mark(store, batch, row, payload, message)
    if not isinstance(body, Resent):
        _take_body(store, batch, row, payload, body, message, message.seq)
        return
    again = resends.take_again(store, payload)
    if again is None:
        return
    original, seq = again
    found = body_of(original)
    _check_kind(original, found)
    if row.type == "group" and not _needs_no_roster(store, row, found):
        rosters.check_speaker(store, row, original.sender_id, seq)
    if original.number:
        order.see_number(store, message, original.number, again=True)
    order.question_ended(store, row.conversation_id, message.sender_device_id, message.sender_id)
    _take_body(store, batch, row, original, found, message, seq, late=True)
    _release(store, batch, row)


def give_up(store: Store, batch: Batch) -> None:
    """Tell what nobody has sent again for a day, and judge what has waited for it. Behind."""
    resends.tell_unanswered(store, batch.now)
    for conversation_id in rosters.parked(store):
        row = store.conversations.get(conversation_id)
        if row is not None and rosters.current(store, conversation_id) is not None:
            _release(store, batch, row)


def _release(store: Store, batch: Batch, row: Row) -> None:
    """Take in what has waited for a roster or a change of it; what still has to wait is put aside again."""
    for waiting in rosters.unpark(store, row.conversation_id):
        _take_sealed(store, batch, row, waiting)


def _check_body(store: Store, row: Row, message: Message, payload: Payload, body: Body) -> None:
    """Whether this may be said in this way. Malformed, NotInAudience."""
    _check_kind(payload, body)
    if row.type != "group" or isinstance(body, Unknown):
        return
    if isinstance(body, PAIRWISE) != (message.envelope is not None):
        raise Malformed("A message came pairwise that goes to the whole group, or the other way.")
    if _needs_no_roster(store, row, body):
        return
    rosters.check_speaker(store, row, payload.sender_id, message.seq)


def _check_kind(payload: Payload, body: Body) -> None:
    if isinstance(body, Text | FileBody) == (payload.kind == CONTROL) and not isinstance(body, Unknown):
        raise Malformed("The message says another thing than its kind.")


def _needs_no_roster(store: Store, row: Row, body: Body) -> bool:
    """A roster is judged by what it names; and without one nothing else that comes pairwise does harm."""
    return isinstance(body, RosterBody) or (
        rosters.current(store, row.conversation_id) is None and isinstance(body, PAIRWISE)
    )


def _take_body(
    store: Store,
    batch: Batch,
    row: Row,
    payload: Payload,
    body: Body,
    message: Message,
    seq: int,
    *,
    late: bool = False,
) -> None:
    if isinstance(body, Text | FileBody):
        save(store, batch, row, payload, body, seq, message, late=late)
    elif obey(store, batch, row, payload, body, message, seq):
        _release(store, batch, row)


def save(
    store: Store,
    batch: Batch,
    row: Row,
    payload: Payload,
    body: Text | FileBody,
    seq: int,
    message: Message,
    *,
    late: bool = False,
) -> None:
    """Write a message down, and tell of it. `message` is what brought it, itself or again."""
    known = store.messages.find(payload.conversation_id, payload.sender_device_id, payload.client_id)
    if known is not None:
        if known.state == "deleted":
            return  # its author has taken it away meanwhile
        raise ReplayedMessage("A message comes for the second time.")
    outgoing = payload.sender_id == store.user_id
    expires_at = None
    if payload.expires_in is not None:
        expires_at = rfc3339(int((batch.now + payload.expires_in) * 1000))
    number = store.messages.add(
        conversation_id=payload.conversation_id,
        client_id=payload.client_id,
        sender_id=payload.sender_id,
        sender_device_id=payload.sender_device_id,
        seq=seq,
        kind=payload.kind,
        text=body.text,
        file=body.file if isinstance(body, FileBody) else None,
        reply_to=_reply_to(body),
        outgoing=outgoing,
        sent_at=payload.sent_at,
        received_at=batch.moment,
        created_at=message.created_at,
        state="sent" if outgoing else "received",
        late=late,
        expires_at=expires_at,
        expires_in=payload.expires_in,
    )
    if late:
        resends.take_edit(store, payload, number)
    store.conversations.touch(row.conversation_id, int(batch.now * 1000))
    stored = store.messages.get(number)
    assert stored is not None
    store.tell(events.MessageReceived(message=stored))
    if message.deleted:
        order.gone(store, row.conversation_id, seq)


def _reply_to(body: Text | FileBody) -> str | None:
    reply = body.reply_to
    return reply.client_id if isinstance(reply, MessageReference) else reply
