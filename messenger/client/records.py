"""Records for applications: messages, people, members, devices. Snapshots, all of them."""

from typing import Literal

from msgspec import Struct

State = Literal["queued", "sent", "failed", "received", "deleted"]


class Record(Struct, frozen=True, kw_only=True):
    """A snapshot."""


class Person(Record, frozen=True, kw_only=True):
    """A user."""

    user_id: str
    username: str


class Contact(Record, frozen=True, kw_only=True):
    """A user that was met. `changed`: its identity is another one, and was not accepted."""

    user_id: str
    username: str
    verified: bool
    changed: bool


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
    it came after messages that were sent later, because it had to be asked for again. `edited`: by its
    author. `gone`: the server has deleted it, or says so, and its author has not.
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
    sender_device_id: str = ""  # in events of older clients
    edited: bool = False
    gone: bool = False


class Member(Record, frozen=True, kw_only=True):
    """A member of a conversation. `verified`: the user has compared the safety number. `vouched`: in a group,
    the roster names it under the account key that is known here; who is not vouched for gets nothing.
    `listed`: the server names it; who is not listed gets nothing either."""

    user_id: str
    username: str
    role: str
    joined_at: str
    delivered_seq: int
    read_seq: int
    verified: bool
    vouched: bool = True
    listed: bool = True


class GroupInfo(Record, frozen=True, kw_only=True):
    """A group by the word of its members: the version of its roster, None where this device has none yet and
    0 where the group is older than rosters; its digest in hexadecimal digits; and who is in it."""

    conversation_id: str
    title: str
    version: int | None
    digest: str | None
    members: list[Member]


class Device(Record, frozen=True, kw_only=True):
    """A device of the own account. `approved`: the signed list names it."""

    device_id: str
    name: str | None
    created_at: str
    last_seen_at: str
    current: bool
    approved: bool


class SafetyNumber(Record, frozen=True, kw_only=True):
    """Sixty digits that both sides see alike when nobody stands between them.

    `changed`: they are those of a changed identity that was not accepted; `verified` is of the digits shown.
    """

    username: str
    digits: str
    verified: bool
    changed: bool = False


class SecondFactorSecret(Record, frozen=True, kw_only=True):
    """The secret for an authenticator app, in base32 and as an `otpauth` URI; shown once."""

    secret: str
    uri: str
