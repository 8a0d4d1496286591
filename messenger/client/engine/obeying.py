"""What a message asks of this device besides being shown: sender keys, resends, rosters, grants, names' keys,
marks, and what authors say of their messages later."""

from messenger.client import events
from messenger.client.e2e import (
    AccountGrant,
    Body,
    Delete,
    Edit,
    MetadataKey,
    Payload,
    ReceivedChains,
    ResendRequest,
    RosterBody,
    RosterChange,
    RosterRequest,
    SenderKey,
    Start,
    Timer,
    Verified,
)
from messenger.client.e2e.errors import NotTheAuthor, RosterRefused
from messenger.client.engine import approval, membership, order, resends, rosters
from messenger.client.engine.batch import Batch
from messenger.client.engine.telling import warn
from messenger.client.engine.titles import retitle
from messenger.client.engine.vault import Store
from messenger.client.store.conversations import Row
from messenger.wire.conversations import Message


def obey(
    store: Store, batch: Batch, row: Row, payload: Payload, body: Body, message: Message, seq: int
) -> bool:
    """Do what a payload says that came at this place; whether a roster came by which others are judged.

    EncryptionError for what its sender may not ask.
    """
    match body:
        case SenderKey():
            _take_chain(store, row, payload, body, seq)
        case Start():
            order.progress_of(store, row.conversation_id, payload.sender_device_id).expect(body.number)
        case ResendRequest():
            resends.send_again(store, batch, row, payload, body)
        case RosterBody():
            return _take_roster(store, batch, row, payload, body, message)
        case RosterChange():
            membership.take_change(store, batch, row, body, payload.sender_id, message, seq)
        case RosterRequest():
            rosters.answer(store, batch, row, payload, body)
        case MetadataKey():
            _take_metadata_key(store, row, body)
        case AccountGrant():
            approval.take_grant(store, batch, payload, body)
        case Verified():
            _take_mark(store, payload, body)
        case Delete():
            _delete(store, row, payload, body, seq)
        case Edit():
            _edit(store, payload, body, seq)
        case Timer():
            _take_timer(store, row, payload, body, seq)
    return False


def _take_chain(store: Store, row: Row, payload: Payload, body: SenderKey, seq: int) -> None:
    name = f"{row.conversation_id}/{payload.sender_device_id}"
    chains = store.states.get(ReceivedChains, name)
    if chains is None:
        chains = ReceivedChains(row.conversation_id, payload.sender_id, payload.sender_device_id)
    # Without a roster nobody can be judged yet; what comes under the chain will be.
    standing = rosters.of(store, row.conversation_id).at(seq)
    is_member = row.type == "self" or standing is None or standing.member(payload.sender_id) is not None
    chains.accept(body, payload, is_member=is_member)
    store.states.save(name, chains)
    order.progress_of(store, row.conversation_id, payload.sender_device_id).expect(body.number)


def _take_roster(
    store: Store, batch: Batch, row: Row, payload: Payload, body: RosterBody, message: Message
) -> bool:
    try:
        return rosters.take_whole(store, batch, row, payload, body, message.seq)
    except RosterRefused as error:
        warn(store, message, events.RosterDiffers, "roster_refused", str(error))
        return False


def _take_metadata_key(store: Store, row: Row, body: MetadataKey) -> None:
    """A key that opens what the server has; anybody in the group may have passed it on."""
    if row.metadata is None:
        store.conversations.set(row.conversation_id, metadata_key=body.key)
        return
    retitle(store, row.conversation_id, row.metadata, body.key)


def _take_mark(store: Store, payload: Payload, body: Verified) -> None:
    known = store.known(body.user_id)
    if payload.sender_id == store.user_id and known.account_key == body.account_key and not known.refused:
        known.set_verified(True)
        store.states.save(body.user_id, known)


# the author's word


def _delete(store: Store, row: Row, payload: Payload, body: Delete, seq: int) -> None:
    """Take a message away; one that is not here yet is not shown when it comes."""
    device_id, client_id = body.message.device_id, body.message.client_id
    found = store.messages.find(row.conversation_id, device_id, client_id)
    author = _user_of(store, payload, device_id) if found is None else found.sender_id
    leads = row.type == "group" and rosters.leads(store, row, payload.sender_id, seq)
    if author != payload.sender_id and not leads:
        raise NotTheAuthor("Somebody deletes a message who is neither its author nor leads the group.")
    place = store.conversations.place_of(row.conversation_id, device_id, client_id)
    if found is None and author is None and place is not None:
        author = store.sessions("", device_id).user_id or payload.sender_id  # whose it is, as far as known
    resends.forget(store, row.conversation_id, device_id, client_id)
    if found is None and author is not None:
        store.messages.add_deleted(row.conversation_id, client_id, author, device_id, place, payload.sent_at)
    elif found is not None and found.state != "deleted":
        store.messages.erase(int(found.id))
    else:
        return
    if device_id == store.device_id:
        store.forget_sent(client_id, edited=found is not None and found.edited)
    store.tell(
        events.MessageDeleted(
            conversation_id=row.conversation_id,
            message_id=None if found is None else found.id,
            seq=place or seq,
            by=payload.sender_id,
        )
    )


def _user_of(store: Store, payload: Payload, device_id: str) -> str | None:
    """Whose device it is, if it is the sender's own."""
    own = device_id == payload.sender_device_id or device_id in store.known(payload.sender_id).devices
    return payload.sender_id if own else None


def _edit(store: Store, payload: Payload, body: Edit, seq: int) -> None:
    found = store.messages.find(payload.conversation_id, body.message.device_id, body.message.client_id)
    if found is None:
        resends.edit_early(store, payload, body, seq)
        return
    if found.state == "deleted":
        return
    if found.sender_id != payload.sender_id:
        raise NotTheAuthor("Somebody edits a message who is not its author.")
    if store.messages.edit(int(found.id), body.text, seq):
        edited = store.messages.get(int(found.id))
        assert edited is not None
        store.tell(events.MessageEdited(message=edited))


def _take_timer(store: Store, row: Row, payload: Payload, body: Timer, seq: int) -> None:
    if row.type == "group" and not rosters.leads(store, row, payload.sender_id, seq):
        raise NotTheAuthor("Somebody sets how long messages are kept who does not lead the group.")
    if row.expires_in != body.expires_in:
        store.conversations.set(row.conversation_id, expires_in=body.expires_in)
        store.tell(events.ConversationUpdated(conversation_id=row.conversation_id, title=row.title))
