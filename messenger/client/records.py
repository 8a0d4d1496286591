"""What an application reads: messages, people, members, devices. Snapshots, all of them."""

from typing import Literal

from msgspec import Struct

State = Literal["queued", "sent", "failed", "received", "deleted"]


class Record(Struct, frozen=True, kw_only=True):
    """A snapshot."""


class Person(Record, frozen=True, kw_only=True):
    """A user."""

    user_id: str
    username: str


class FileInfo(Record, frozen=True, kw_only=True):
    """A file in a message. `size` is in bytes; `name` is the sender's word, not a path to be trusted."""

    id: str
    name: str
    size: int
    media_type: str


class Message(Record, frozen=True, kw_only=True):
    """A message as this device has it.

    `id` is this profile's own. `seq` is the message's place in the conversation, None while it is queued.
    `sent_at` is by the sender's clock, `received_at` by this device's, `created_at` by the server's. `late`:
    it came after messages that were sent later, because it had to be asked for again.
    """

    id: str
    client_id: str
    conversation_id: str
    seq: int | None
    sender_id: str
    sender: str
    outgoing: bool
    kind: str
    text: str
    file: FileInfo | None
    reply_to: str | None
    sent_at: str
    received_at: str
    created_at: str | None
    state: State
    late: bool


class Member(Record, frozen=True, kw_only=True):
    """A member of a conversation. `verified`: the user has compared the safety number."""

    user_id: str
    username: str
    role: str
    joined_at: str
    delivered_seq: int
    read_seq: int
    verified: bool


class Device(Record, frozen=True, kw_only=True):
    """A device of the own account. `approved`: the account key vouches for it."""

    device_id: str
    name: str | None
    created_at: str
    last_seen_at: str
    current: bool
    approved: bool


class SafetyNumber(Record, frozen=True, kw_only=True):
    """Sixty digits that both sides see alike when nobody stands between them."""

    username: str
    digits: str
    verified: bool


class SecondFactorSecret(Record, frozen=True, kw_only=True):
    """The secret for an authenticator app, in base32 and as an `otpauth` URI; shown once."""

    secret: str
    uri: str
