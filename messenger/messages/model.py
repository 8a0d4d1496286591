"""The values that the message service passes between its store, its rules and its sockets.

Times are milliseconds since 1970. `StoredMessage` is a Struct, for it also travels on the bus
(as MessagePack).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct

from messenger.wire import events
from messenger.wire.conversations import Message
from messenger.wire.times import rfc3339

M = TypeVar("M", bound=Message)


class StoredMessage(Struct, array_like=True, gc=False):
    """A committed message with the envelopes of all devices."""

    conversation_id: str
    seq: int
    sender_id: str | None
    sender_device_id: str
    client_id: str
    kind: str
    content: bytes | None
    envelopes: dict[str, bytes] | None
    created: int
    expires: int | None
    deleted: bool = False

    @property
    def size(self) -> int:
        """About how many bytes the message holds."""
        sealed = sum(map(len, self.envelopes.values())) if self.envelopes else 0
        return len(self.content or b"") + sealed

    def seen_by(self, device_id: str, now: int, kind: type[M]) -> M:
        """The message as `device_id` may see it at `now`: after its end or deletion without content.

        `kind` is Message, or MessageFrame for a socket.
        """
        hidden = self.deleted or (self.expires is not None and self.expires <= now)
        envelope = None if hidden or self.envelopes is None else self.envelopes.get(device_id)
        return kind(
            conversation_id=self.conversation_id,
            seq=self.seq,
            sender_id=self.sender_id,
            sender_device_id=self.sender_device_id,
            client_id=self.client_id,
            kind=self.kind,
            content=None if hidden else self.content,
            envelope=envelope,
            created_at=rfc3339(self.created),
            expires_at=None if self.expires is None else rfc3339(self.expires),
            deleted=self.deleted,
        )


class Draft(NamedTuple):
    """A message that passed the rules of form and waits to be committed."""

    conversation_id: str
    user_id: str
    device_id: str
    client_id: str
    kind: str
    content: bytes | None
    envelopes: dict[str, bytes] | None


class Outcome(NamedTuple):
    """The outcome of a draft: `stored`, `repeat`, `not_found`, `gone`, `blocked` or `busy`."""

    outcome: str
    seq: int
    change: int
    created: int
    expires: int | None


class StoredChange(NamedTuple):
    """A committed change: what happened to a conversation besides messages."""

    conversation_id: str
    change: int
    at_seq: int
    created: int
    actor_id: str | None
    event: str
    details: dict[str, Any]


class Head(NamedTuple):
    """How far a conversation has come."""

    seq: int
    change: int


class Membership(NamedTuple):
    """A conversation of one user as one device needs it: its head, and the device's cursor.

    For a user who left, the head is where it left.
    """

    conversation_id: str
    head: Head
    cursor: Head
    left: bool


class Members(NamedTuple):
    """The members of a conversation when it had `change`; None: too many to be told."""

    conversation_id: str
    change: int
    user_ids: list[str] | None


@dataclass(frozen=True)
class MemberRow:
    """A member within `ConversationState`."""

    user_id: str
    role: str


@dataclass(frozen=True)
class ConversationState:
    """A conversation under its lock, as far as the rules of a change need it."""

    type: str
    ended: bool
    metadata: bytes | None
    message_ttl: int | None
    member_count: int
    actor: MemberRow
    target: MemberRow | None
    target_exists: bool
    target_blocks_actor: bool
    heir: MemberRow | None
    blocked: bool = False  # direct: a block stands between the two


@dataclass(frozen=True)
class Amendment:
    """The parts of a change to a conversation: each is applied where it is given."""

    add: MemberRow | None = None
    remove: str | None = None
    roles: dict[str, str] = field(default_factory=dict)
    end: bool = False
    update: bool = False
    metadata: bytes | None = None
    message_ttl: int | None = None
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


class ConversationRow(NamedTuple):
    """A conversation as one of its members sees it; times are milliseconds since 1970."""

    conversation_id: str
    type: str
    metadata: bytes | None
    message_ttl: int | None
    created: int
    updated: int
    ended: int | None
    first_seq: int
    last_seq: int
    last_change: int
    role: str
    read_seq: int
    unread: int
    member_count: int


class MemberProgress(NamedTuple):
    """A member and how far it has come."""

    user_id: str
    role: str
    joined: int
    delivered_seq: int
    read_seq: int


class Creation(NamedTuple):
    """A conversation to be made; `pair` is set for a direct one."""

    type: str
    pair: str | None
    creator: str
    roles: dict[str, str]
    metadata: bytes | None
    client_id: str | None


class HeadsEvent(NamedTuple):
    """An event in the outbox that says how far conversations have come, to be published once committed."""

    event_id: str
    heads: events.Heads


class Ack(NamedTuple):
    """A device has stored everything up to there; null: nothing said."""

    device_id: str
    user_id: str
    conversation_id: str
    seq: int | None
    change: int | None


class Mark(NamedTuple):
    """A user has read up to `seq`, on `device_id`."""

    conversation_id: str
    user_id: str
    device_id: str
    seq: int


class Risen(NamedTuple):
    """A member has come further, by what `device_id` said."""

    conversation_id: str
    user_id: str
    device_id: str
    seq: int
    member_count: int


class Seen(NamedTuple):
    """A device is seen here, as `online` or `away`."""

    device_id: str
    user_id: str
    status: str


class Unchanged(Enum):
    """Why a change was not made."""

    NOT_VISIBLE = "who asks is no member, or may not see the message"
    SAME = "it is so already"


Decide = Callable[[ConversationState], Amendment | None]


def pair_of(one: str, other: str) -> str:
    """The key of the direct conversation between two users."""
    return " ".join(sorted((one, other)))
