"""The payload that is encrypted: a JSON object that repeats what the server says about the message, and the
body.

The server files a message under a conversation, a sender, a client_id and a kind. The sender says the same
inside, where the server can't change it; `open_payload` compares, and names what differs.
"""

from typing import Annotated, Protocol

import msgspec
from msgspec import Meta, Struct, field

from messenger.client.e2e.bodies import Body, Known, decode_body, encode_body
from messenger.client.e2e.errors import (
    ClientIdMismatch,
    ConversationMismatch,
    KindMismatch,
    Malformed,
    SenderMismatch,
)
from messenger.client.e2e.padding import padded, unpadded
from messenger.wire.conversations import Message


class Sender(Protocol):
    """The own device, as far as a payload speaks of it."""

    @property
    def user_id(self) -> str: ...

    @property
    def device_id(self) -> str: ...


class RosterMark(Struct, frozen=True, kw_only=True):
    """The version and the digest (32 bytes) of the roster that a sender has."""

    version: Annotated[int, Meta(ge=1, lt=2**53)]
    digest: Annotated[bytes, Meta(min_length=32, max_length=32)]


class Seen(Struct, frozen=True, kw_only=True):
    """What the sender holds at the places `first` to `seq` of the conversation, at most 32, as a digest."""

    first: Annotated[int, Meta(ge=1, lt=2**53)] = field(name="from")
    seq: Annotated[int, Meta(ge=1, lt=2**53)]
    digest: Annotated[bytes, Meta(min_length=32, max_length=32)]


class Payload(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The plaintext of a message.

    `number` counts the sender's messages in the conversation, 1, 2, 3 ..., in the order in which they are
    committed; 0 for one that goes to some devices only. `sent_at` is RFC 3339 by the sender's clock.
    `list_version` is that of the sender's own device list as it knows it, 0 from an older client.
    `expires_in` (seconds) says how long the message is kept.
    """

    conversation_id: str
    sender_id: str
    sender_device_id: str
    client_id: str
    kind: str
    number: Annotated[int, Meta(ge=0, lt=2**53)]
    sent_at: str
    list_version: Annotated[int, Meta(ge=0, lt=2**53)] = 0
    roster: RosterMark | None = None
    seen: Seen | None = None
    expires_in: Annotated[int, Meta(ge=1, le=31_536_000)] | None = None
    body: msgspec.Raw


class Claimed(Struct, frozen=True, kw_only=True):
    """The server's word about a message. A sender whose account is deleted has no `sender_id` any more."""

    conversation_id: str
    sender_id: str | None
    sender_device_id: str
    client_id: str
    kind: str


_decoder = msgspec.json.Decoder(Payload)


def claimed(message: Message) -> Claimed:
    """The server's word about a message."""
    return Claimed(
        conversation_id=message.conversation_id,
        sender_id=message.sender_id,
        sender_device_id=message.sender_device_id,
        client_id=message.client_id,
        kind=message.kind,
    )


def new_payload(
    sender: Sender,
    *,
    conversation_id: str,
    client_id: str,
    kind: str,
    number: int,
    sent_at: str,
    body: Known,
    list_version: int = 0,
    roster: RosterMark | None = None,
    seen: Seen | None = None,
    expires_in: int | None = None,
) -> Payload:
    """The payload of a message of the own device."""
    return Payload(
        conversation_id=conversation_id.lower(),
        sender_id=sender.user_id,
        sender_device_id=sender.device_id,
        client_id=client_id.lower(),
        kind=kind,
        number=number,
        sent_at=sent_at,
        list_version=list_version,
        roster=roster,
        seen=seen,
        expires_in=expires_in,
        body=encode_body(body),
    )


def body_of(payload: Payload) -> Body:
    """The body; Malformed where it does not fit its type."""
    return decode_body(bytes(payload.body))


def encode_payload(payload: Payload) -> bytes:
    """A payload as JSON."""
    return msgspec.json.encode(payload)


def decode_payload(raw: bytes) -> Payload:
    """A payload from JSON; Malformed where it is none."""
    try:
        if not raw.isascii():
            raw.decode("utf-8")  # msgspec does not look into members that it passes over
        found = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"The message's payload does not fit: {error}.") from None
    # Raw points into the whole buffer; a copy lets that go.
    return msgspec.structs.replace(found, body=found.body.copy())


def sealed_form(payload: Payload) -> bytes:
    """A payload encoded and padded: what is encrypted. PayloadTooLarge where it does not fit."""
    return padded(encode_payload(payload))


def open_payload(plaintext: bytes, said: Claimed) -> Payload:
    """The payload of a decrypted message, once all that it repeats fits what the server said.

    Raises ConversationMismatch, SenderMismatch, ClientIdMismatch, KindMismatch, Malformed.
    """
    payload = decode_payload(unpadded(plaintext))
    if payload.conversation_id != said.conversation_id:
        raise ConversationMismatch("The server presents a message of another conversation.")
    if payload.sender_device_id != said.sender_device_id:
        raise SenderMismatch("The server presents a message as another device's.")
    if said.sender_id is not None and payload.sender_id != said.sender_id:
        raise SenderMismatch("The server presents a message as another user's.")
    if payload.client_id != said.client_id:
        raise ClientIdMismatch("The server presents a message under another client_id.")
    if payload.kind != said.kind:
        raise KindMismatch("The server presents a message as one of another kind.")
    return payload
