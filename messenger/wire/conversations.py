"""Conversations, members, messages and changes: the bodies under /conversations and inside frames.

`metadata`, `content` and an envelope's `content` are opaque: ciphertext that is stored and handed on.
Bounds that a setting moves (sizes, members) are the domain's; here stand those of form.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from messenger.wire.codec import Binary, Uuid
from messenger.wire.paging import DEFAULT_LIMIT, Limit

Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, lt=2**53)]  # what every JSON parser has exactly
Place = Annotated[int, Meta(ge=1, lt=2**53)]
Role = Literal["owner", "admin", "member"]
Kind = Literal["direct", "group"]


class NewConversation(Struct, frozen=True, kw_only=True):
    """A conversation to be made; `members` are the others."""

    type: Kind
    members: list[Uuid]
    metadata: Binary | None = None
    client_id: Uuid | None = None


class Conversation(Struct, frozen=True, kw_only=True):
    """A conversation as one of its members sees it."""

    conversation_id: str
    type: str
    metadata: bytes | None
    message_ttl: Count | None
    created_at: str
    updated_at: str
    ended_at: str | None
    first_seq: Count
    last_seq: Count
    last_change: Count
    role: str
    read_seq: Count
    unread: Count
    member_count: Count


class ConversationUpdate(Struct, frozen=True, kw_only=True):
    """Changes to a conversation, by an admin; what is left out stays. `message_ttl` is in seconds, null for
    never."""

    metadata: Binary | UnsetType | None = UNSET
    message_ttl: int | UnsetType | None = UNSET


class Member(Struct, frozen=True, kw_only=True):
    """A member and how far it has come."""

    user_id: str
    role: str
    joined_at: str
    delivered_seq: Count
    read_seq: Count


class NewMember(Struct, frozen=True, kw_only=True):
    """Someone to be added to a group."""

    user_id: Uuid
    role: Role = "member"


class RoleChange(Struct, frozen=True, kw_only=True):
    """A member's new role."""

    role: Role


class MemberDevice(Struct, frozen=True, kw_only=True):
    """A published device of a member."""

    user_id: str
    device_id: str


class Devices(Struct, frozen=True, kw_only=True):
    """The published devices of all members; `digest` is SHA-256 over their sorted ids of 16 bytes."""

    items: list[MemberDevice]
    digest: bytes


class Envelope(Struct, frozen=True):
    """One device's own ciphertext."""

    device_id: Uuid
    content: Binary


class Draft(Struct, frozen=True, kw_only=True):
    """A message to be sent."""

    client_id: Uuid
    kind: str
    content: Binary | None = None
    envelopes: list[Envelope] | None = None
    devices_digest: Binary | None = None
    partial: bool = False


class Sent(Struct, frozen=True):
    """A message's place, once committed."""

    seq: Place
    created_at: str


class Message(Struct, frozen=True, kw_only=True):
    """A message as one device sees it: `envelope` is that device's own, or null."""

    conversation_id: str
    seq: Place
    sender_id: str | None
    sender_device_id: str
    client_id: str
    kind: str
    content: bytes | None
    envelope: bytes | None
    created_at: str
    expires_at: str | None
    deleted: bool


class Change(Struct, frozen=True, kw_only=True):
    """A change of a conversation, numbered beside its messages; which of the last four are there depends on
    `event`.

    `conversation` holds what all members share; an asker's own role and counts are left out of it.
    """

    change: Count
    at_seq: Count
    created_at: str
    actor_id: str | None
    event: str
    conversation: dict[str, Any] | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    role: str | UnsetType = UNSET
    seq: Count | UnsetType = UNSET


class MessagesQuery(Struct, frozen=True, kw_only=True):
    """History from `after` upwards, from below `before` downwards, or the latest; a page rises by `seq`."""

    after: Number | None = None
    before: Number | None = None
    limit: Limit = DEFAULT_LIMIT
    cursor: Annotated[str, Meta(max_length=64)] | None = None


class ChangesQuery(Struct, frozen=True, kw_only=True):
    """Changes above `after`."""

    after: Number = 0
    limit: Limit = DEFAULT_LIMIT
    cursor: Annotated[str, Meta(max_length=64)] | None = None
