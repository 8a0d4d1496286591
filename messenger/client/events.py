"""Events, as an application hears of them.

Durable events bear a `position`: they are written together with what they tell of, and wait in the store
until the application has taken them, across restarts. Ephemeral ones have position 0 and wait in a bounded
queue; when that is full the oldest goes.

The server is assumed hostile. What it does, or fails to do, to messages, keys and files is told by a
`ServerWarning` that names what, who and where; `reason` is a stable word, `detail` one sentence.
"""

from typing import Literal

import msgspec
from msgspec import Struct

from messenger.client.records import Message

ConnectionState = Literal[
    "offline", "connecting", "online", "waiting_for_approval", "session_ended", "taken_over", "removed"
]


def _tag(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


class Event(Struct, frozen=True, kw_only=True, tag_field="event", tag=_tag):
    """Something that happened. `position` rises from event to event; 0 for an ephemeral one."""

    position: int = 0


# durable


class MessageReceived(Event, frozen=True, kw_only=True):
    """A message has come; `message.outgoing` where another device of one's own has sent it."""

    message: Message


class MessageDeleted(Event, frozen=True, kw_only=True):
    """A message's content was taken away. `message_id` is None where this device never had it."""

    conversation_id: str
    message_id: str | None
    seq: int
    by: str | None = None


class MessageSent(Event, frozen=True, kw_only=True):
    """An own message is committed at the server."""

    message: Message


class SendFailed(Event, frozen=True, kw_only=True):
    """An own message can't be sent; `reason` is the error's code."""

    message: Message
    reason: str
    detail: str


class ConversationAdded(Event, frozen=True, kw_only=True):
    """This user is a member of a conversation that was not known."""

    conversation_id: str
    title: str


class ConversationUpdated(Event, frozen=True, kw_only=True):
    """A conversation has another title, or another time to live for messages."""

    conversation_id: str
    title: str


class ConversationEnded(Event, frozen=True, kw_only=True):
    """Nobody can write any more, or this user is no member any more; the history stays."""

    conversation_id: str


class MembershipChanged(Event, frozen=True, kw_only=True):
    """Who is in a group, and as what, as the server says."""

    conversation_id: str
    user_id: str
    username: str
    change: Literal["added", "removed", "left", "role_changed"]
    role: str | None
    actor_id: str | None
    actor: str | None


class IdentityChanged(Event, frozen=True, kw_only=True):
    """A user's account key is another one: a new start on their side, or somebody in between.

    `accepted` False: by the setting nothing goes to them or comes from them until `accept_identity`.
    """

    user_id: str
    username: str
    was_verified: bool
    accepted: bool


class RosterChanged(Event, frozen=True, kw_only=True):
    """Who is in a group, and as what, by the word of its members. `by` is the user who changed it; `change`
    is `made` where the roster is new here, `unconfirmed` where a member's account key is another one than
    the roster's, so that it gets nothing until an admin confirms it."""

    conversation_id: str
    user_id: str
    username: str
    change: Literal["made", "added", "removed", "left", "role_changed", "confirmed", "unconfirmed"]
    role: str | None
    by: str | None


class MessageEdited(Event, frozen=True, kw_only=True):
    """The author has given a message another text."""

    message: Message


class GoneFromServer(Event, frozen=True, kw_only=True):
    """The server says that a message was deleted or has expired there; its author has not said so, and it
    stays. `message_id` is None where this device never had it."""

    conversation_id: str
    message_id: str | None
    seq: int


class DeviceListChanged(Event, frozen=True, kw_only=True):
    """A user has one certified device more, or one less."""

    user_id: str
    username: str
    device_id: str
    change: Literal["added", "removed"]


class DeviceWaiting(Event, frozen=True, kw_only=True):
    """A new device of one's own asks to be approved."""

    device_id: str


class DeviceApproved(Event, frozen=True, kw_only=True):
    """This device was approved by an older one."""


class SessionEnded(Event, frozen=True, kw_only=True):
    """The session is over: log in again. `reason`: `removed` (this device, by another one), `refresh_reused`
    (somebody has a copy of its token), `unauthorized` (it was ended elsewhere) or `session_ended`."""

    reason: str


class TakenOver(Event, frozen=True, kw_only=True):
    """Another process is connected as this very device: the profile was copied."""


class ServerWarning(Event, frozen=True, kw_only=True):
    """The server, or somebody at it, has done what it must not. What does not apply is None."""

    conversation_id: str | None = None
    user_id: str | None = None
    username: str | None = None
    device_id: str | None = None
    seq: int | None = None
    reason: str
    detail: str


class MessageRejected(ServerWarning, frozen=True, kw_only=True):
    """A message was not taken: tampered with, replayed, refiled, reflected, from nobody known."""


class MessagesMissing(ServerWarning, frozen=True, kw_only=True):
    """Messages of a sender, or places of a conversation, were held back; `count` of them."""

    count: int


class MessagesReordered(ServerWarning, frozen=True, kw_only=True):
    """A message came after ones that its sender wrote later."""


class MessagesLost(ServerWarning, frozen=True, kw_only=True):
    """A message could not be decrypted, and asking for it again did not help."""


class HistoryRewritten(ServerWarning, frozen=True, kw_only=True):
    """A place of a conversation holds another message than before, or numbers went backwards."""


class KeysRefused(ServerWarning, frozen=True, kw_only=True):
    """A key, bundle or device that the server hands out does not hold."""


class DeviceRefused(ServerWarning, frozen=True, kw_only=True):
    """The server lists a device that nothing vouches for."""


class ContactRefused(ServerWarning, frozen=True, kw_only=True):
    """The server gives a pinned name to another user, a pinned user another name, or two users one name."""


class AudienceRefused(ServerWarning, frozen=True, kw_only=True):
    """The server lists somebody in a conversation whom nobody there vouches for; nothing goes to them."""


class RosterDiffers(ServerWarning, frozen=True, kw_only=True):
    """A member has another roster of the group than this device, or somebody changed it who may not."""


class HistoryRestarted(Event, frozen=True, kw_only=True):
    """The server says that its database was replaced by a copy, which may lack the last minutes: `doubted`
    places are asked for again, and `sent_again` own messages go out again."""

    doubted: int
    sent_again: int
    detail: str


class HistoryDiffers(ServerWarning, frozen=True, kw_only=True):
    """A member was shown another history of the conversation than this device."""


class ProfileRestored(ServerWarning, frozen=True, kw_only=True):
    """The server has messages of this device that this profile does not know: it was restored from an older
    copy, or the server lies. New sessions and keys are begun."""


class FileRejected(ServerWarning, frozen=True, kw_only=True):
    """A file that the server gave out is not the one that was sent."""

    file_id: str


# ephemeral


class ReceiptReceived(Event, frozen=True, kw_only=True):
    """How far a member has come."""

    conversation_id: str
    user_id: str
    username: str
    kind: Literal["delivered", "read"]
    seq: int


class TypingChanged(Event, frozen=True, kw_only=True):
    """A member is typing, or has stopped; it lapses after 6 s."""

    conversation_id: str
    user_id: str
    username: str
    is_typing: bool


class PresenceChanged(Event, frozen=True, kw_only=True):
    """A peer is `online`, `away` or `offline`."""

    user_id: str
    username: str
    status: str
    last_seen_at: str


class StateChanged(Event, frozen=True, kw_only=True):
    """The connection is in another state; `retry_in` is in seconds where it is tried again."""

    state: ConnectionState
    detail: str = ""
    retry_in: float | None = None


Durable = (
    MessageReceived
    | MessageDeleted
    | MessageSent
    | SendFailed
    | ConversationAdded
    | ConversationUpdated
    | ConversationEnded
    | MembershipChanged
    | IdentityChanged
    | RosterChanged
    | MessageEdited
    | GoneFromServer
    | HistoryRestarted
    | DeviceListChanged
    | DeviceWaiting
    | DeviceApproved
    | SessionEnded
    | TakenOver
    | MessageRejected
    | MessagesMissing
    | MessagesReordered
    | MessagesLost
    | HistoryRewritten
    | KeysRefused
    | DeviceRefused
    | ContactRefused
    | AudienceRefused
    | RosterDiffers
    | HistoryDiffers
    | ProfileRestored
    | FileRejected
)

_decoder: msgspec.json.Decoder[Durable] = msgspec.json.Decoder(Durable)


def encode(event: Event) -> bytes:
    """An event as JSON."""
    return msgspec.json.encode(event)


def decode(raw: bytes) -> Durable:
    """A durable event from JSON."""
    return _decoder.decode(raw)
