"""Messages that could not be decrypted are asked for again, and sent again to who asks."""

from messenger.client import events
from messenger.client.e2e import (
    Edit,
    KnownDevice,
    Payload,
    ResendRequest,
    ResendRequests,
    SendingChain,
    SentMessage,
    claimed,
)
from messenger.client.e2e.errors import NotResent
from messenger.client.e2e.state import Stored
from messenger.client.engine import approval, order
from messenger.client.engine.batch import Batch
from messenger.client.engine.queueing import queue
from messenger.client.engine.telling import warn, warn_of
from messenger.client.engine.vault import Store
from messenger.client.store.conversations import Row
from messenger.wire.conversations import Message


class Early(Stored):
    """Another text for a message that is asked for again, by an edit at this place."""

    sender_id: str
    text: str
    seq: int


def _name(conversation_id: str, device_id: str, client_id: str) -> str:
    return f"{conversation_id}/{device_id}/{client_id}"


def edit_early(store: Store, payload: Payload, body: Edit, seq: int) -> None:
    """Keep an edit whose message is asked for again."""
    requests = store.states.get(ResendRequests, "own")
    message = (payload.conversation_id, body.message.device_id, body.message.client_id)
    known = store.states.get(Early, _name(*message))
    if requests is None or not requests.asks_for(*message) or (known is not None and known.seq > seq):
        return
    store.states.save(_name(*message), Early(payload.sender_id, body.text, seq))


def take_edit(store: Store, payload: Payload, number: int) -> None:
    """Give a message that was asked for the text that its author gave it meanwhile."""
    name = _name(payload.conversation_id, payload.sender_device_id, payload.client_id)
    early = store.states.get(Early, name)
    if early is None:
        return
    store.states.drop(Early, name)
    if early.sender_id == payload.sender_id:
        store.messages.edit(number, early.text, early.seq)


def forget(store: Store, conversation_id: str, device_id: str, client_id: str) -> None:
    """A message was taken away: it is asked for no more."""
    requests = store.states.get(ResendRequests, "own")
    if requests is not None and requests.asks_for(conversation_id, device_id, client_id):
        requests.forget(conversation_id, device_id, client_id)
        order.progress_of(store, conversation_id, device_id).pass_over()
        store.states.save("own", requests)
        store.states.drop(Early, _name(conversation_id, device_id, client_id))


def ask_again(store: Store, batch: Batch, row: Row, message: Message, why: str) -> None:
    """Ask the sender's device for a message; tell it as lost where that was done too often.

    A new session is begun for it, as long as not too many were.
    """
    requests = store.states.get(ResendRequests, "own") or ResendRequests()
    body = requests.ask(claimed(message), message.seq, now=batch.now)
    store.states.save("own", requests)
    if body is None:
        warn(store, message, events.MessagesLost, "undecryptable", f"A message is lost: {why}")
        order.question_ended(store, row.conversation_id, message.sender_device_id, message.sender_id)
        return
    asked = _known_writer(store, message)
    if asked is not None:
        sessions = store.sessions(asked.user_id, asked.device_id)
        fresh = sessions.may_repair(batch.now)
        store.states.save(asked.device_id, sessions)
        queue(store, batch, row.conversation_id, body, [asked], fresh=fresh)


def _known_writer(store: Store, message: Message) -> KnownDevice | None:
    """The device that wrote a message, where its user's list names it."""
    user_id = message.sender_id or store.sessions("", message.sender_device_id).user_id
    known = approval.provisional(store, user_id) or store.known(user_id)
    return next((one for one in known.current_devices() if one.device_id == message.sender_device_id), None)


def send_again(store: Store, batch: Batch, row: Row, payload: Payload, body: ResendRequest) -> None:
    """Send a message again to the device that asks, if it was for it; a chain that it has is given again."""
    sent = store.states.get(SentMessage, body.client_id)
    if sent is None:
        return  # too long ago, expired or deleted; the asker will call it lost
    device_id = payload.sender_device_id
    asker = store.known(payload.sender_id).listed(device_id)
    if asker is None:
        return
    try:
        again = sent.again(device_id, row.conversation_id)
    except NotResent:
        return
    store.states.save(body.client_id, sent)
    chain = store.states.get(SendingChain, row.conversation_id)
    if chain is not None and device_id in chain.holders:
        queue(store, batch, row.conversation_id, chain.distribution(row.next_number), [asker])
    queue(store, batch, row.conversation_id, again, [asker])


def take_again(store: Store, payload: Payload) -> tuple[Payload, int] | None:
    """The message that an answer brings, with its place; None for one that was answered before."""
    requests = store.states.get(ResendRequests, "own") or ResendRequests()
    try:
        found = requests.fulfil(payload)
    except NotResent:
        return None  # asked for twice, and both answers came
    store.states.save("own", requests)
    return found


def tell_unanswered(store: Store, now: float) -> None:
    """Tell of messages that nobody has sent again for a day."""
    requests = store.states.get(ResendRequests, "own")
    if requests is None:
        return
    lost = requests.unanswered(now)
    if not lost:
        return
    store.states.save("own", requests)
    for said, seq in lost:
        store.states.drop(Early, _name(said.conversation_id, said.sender_device_id, said.client_id))
        warn_of(
            store,
            events.MessagesLost,
            "unanswered",
            "A message could not be decrypted, and its sender has not sent it again.",
            conversation_id=said.conversation_id,
            user_id=said.sender_id,
            device_id=said.sender_device_id,
            seq=seq,
        )
        order.question_ended(store, said.conversation_id, said.sender_device_id, said.sender_id, late=True)
