"""What devices say to each other without their users: sender keys, resends, grants, names' keys, marks."""

from typing import Protocol
from uuid import uuid4

from messenger.client import events
from messenger.client.e2e import (
    AccountGrant,
    AccountKey,
    Body,
    DeviceCode,
    Known,
    KnownUser,
    MetadataKey,
    Payload,
    Progress,
    ReceivedChains,
    ResendRequest,
    ResendRequests,
    Resent,
    SenderKey,
    SendingChain,
    SentMessage,
    Verified,
    accept_grant,
    open_conversation_metadata,
)
from messenger.client.e2e.bodies import encode_body
from messenger.client.e2e.errors import EncryptionError, NotResent
from messenger.client.engine.vault import Shelf
from messenger.client.store.conversations import Row


class Waking(Protocol):
    """A batch, as far as this goes."""

    moment: str
    wake: set[str]
    approved: bool


def queue(
    shelf: Shelf,
    batch: Waking,
    conversation_id: str,
    body: Known,
    targets: list[str],
    *,
    fresh: bool = False,
) -> None:
    """Have a control message sent to some devices of a conversation (an empty list: to all there are)."""
    shelf.outbox.add(
        client_id=str(uuid4()),
        conversation_id=conversation_id,
        kind="control",
        body=bytes(encode_body(body)),
        sent_at=batch.moment,
        targets=targets,
        fresh=fresh,
    )
    batch.wake.add(conversation_id)


def obey(shelf: Shelf, batch: Waking, row: Row, payload: Payload, body: Body) -> tuple[Payload, int] | None:
    """Do what a control payload says; what a resent message was, with its seq. EncryptionError."""
    if isinstance(body, SenderKey):
        _take_chain(shelf, row, payload, body)
    elif isinstance(body, ResendRequest):
        _send_again(shelf, batch, row, payload, body)
    elif isinstance(body, Resent):
        return _take_again(shelf, payload)
    elif isinstance(body, MetadataKey):
        _take_metadata_key(shelf, row, body)
    elif isinstance(body, AccountGrant):
        _take_account(shelf, batch, payload, body)
    elif isinstance(body, Verified):
        _take_mark(shelf, payload, body)
    return None


def _take_chain(shelf: Shelf, row: Row, payload: Payload, body: SenderKey) -> None:
    name = f"{row.conversation_id}/{payload.sender_device_id}"
    chains = shelf.states.get(ReceivedChains, name)
    if chains is None:
        chains = ReceivedChains(row.conversation_id, payload.sender_id, payload.sender_device_id)
    members = {one.user_id for one in shelf.conversations.members(row.conversation_id, gone=True)}
    chains.accept(body, payload, is_member=payload.sender_id in members)
    shelf.states.save(name, chains)
    progress = shelf.states.get(Progress, name) or Progress()
    progress.expect(body.number)
    shelf.states.save(name, progress)


def _send_again(shelf: Shelf, batch: Waking, row: Row, payload: Payload, body: ResendRequest) -> None:
    sent = shelf.states.get(SentMessage, body.client_id)
    if sent is None:
        return  # too long ago; the asker will call it lost
    device_id = payload.sender_device_id
    try:
        again = sent.again(device_id, row.conversation_id)
    except NotResent:
        return
    shelf.states.save(body.client_id, sent)
    chain = shelf.states.get(SendingChain, row.conversation_id)
    if chain is not None and device_id in chain.holders:
        queue(shelf, batch, row.conversation_id, chain.distribution(row.next_number), [device_id])
    queue(shelf, batch, row.conversation_id, again, [device_id])


def _take_again(shelf: Shelf, payload: Payload) -> tuple[Payload, int] | None:
    requests = shelf.states.get(ResendRequests, "own") or ResendRequests()
    try:
        found = requests.fulfil(payload)
    except NotResent:
        return None  # asked for twice, and both answers came
    shelf.states.save("own", requests)
    return found


def _take_metadata_key(shelf: Shelf, row: Row, body: MetadataKey) -> None:
    """A key that opens what the server has; anybody in the group may have passed it on."""
    if row.metadata is None:
        shelf.conversations.set(row.conversation_id, metadata_key=body.key)
        return
    retitle(shelf, row.conversation_id, row.metadata, body.key)


def retitle(shelf: Shelf, conversation_id: str, metadata: bytes | None, key: bytes | None) -> bool:
    """Read a group's name with a key; whether that worked. Then the key is kept."""
    if metadata is None or key is None:
        return False
    try:
        name = open_conversation_metadata(key, metadata).name
    except EncryptionError:
        return False
    row = shelf.conversations.get(conversation_id)
    shelf.conversations.set(conversation_id, metadata=metadata, metadata_key=key, title=name)
    if row is not None and row.title != name:
        shelf.tell(events.ConversationUpdated(conversation_id=conversation_id, title=name))
    return True


def _take_account(shelf: Shelf, batch: Waking, payload: Payload, body: AccountGrant) -> None:
    code = shelf.states.get(DeviceCode, "own")
    if code is None or payload.sender_id != shelf.user_id:
        return  # this device asks for nothing
    account = accept_grant(code, shelf.keys(), body)
    adopt(shelf, account)
    shelf.states.drop(DeviceCode, "own")
    shelf.tell(events.DeviceApproved())
    batch.approved = True


def adopt(shelf: Shelf, account: AccountKey) -> None:
    """Go on under this account key."""
    shelf.states.save("own", account)
    known = shelf.known(shelf.user_id)
    known.pin(account.public)
    shelf.states.save(shelf.user_id, known)


def _take_mark(shelf: Shelf, payload: Payload, body: Verified) -> None:
    known = shelf.known(body.user_id)
    if payload.sender_id == shelf.user_id and known.account_key == body.account_key and not known.refused:
        known.set_verified(True)
        shelf.states.save(body.user_id, known)


def approved(shelf: Shelf) -> bool:
    """Whether this device has its user's account key."""
    return shelf.states.get(AccountKey, "own") is not None


def provisional(shelf: Shelf, user_id: str) -> KnownUser | None:
    """Before this device has the account key it can judge its own user's devices by the server's word only.

    It believes that word for one thing: to read a grant, whose proof the server can't make.
    """
    if user_id != shelf.user_id or approved(shelf):
        return None
    raw = shelf.account.raw("provisional")
    return None if raw is None else KnownUser.from_bytes(raw)
