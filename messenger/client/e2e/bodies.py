"""Bodies of payloads: JSON objects told apart by `type`. Bytes are base64.

An application passes over a type that it doesn't know (`Unknown`), so that newer clients can say more.
"""

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from messenger.client.e2e.errors import Malformed

Key = Annotated[bytes, Meta(min_length=32, max_length=32)]
Id16 = Annotated[bytes, Meta(min_length=16, max_length=16)]


Version = Annotated[int, Meta(ge=1, lt=2**53)]
Role = Literal["owner", "admin", "member"]
Emoji = Annotated[str, Meta(max_length=64)]
Peaks = Annotated[list[Annotated[int, Meta(ge=0, le=255)]], Meta(max_length=256)]
Pixels = Annotated[int, Meta(ge=1, le=65_535)]
MAX_MEMBERS = 1_000


class FileReference(Struct, frozen=True, kw_only=True):
    """Where a file is and how it is read. `sha256` is of the stored blob, `size` of the file, in bytes."""

    file_id: str
    key: Key
    sha256: Key
    size: Annotated[int, Meta(ge=0, le=2**47)]
    name: Annotated[str, Meta(max_length=1024)]
    media_type: Annotated[str, Meta(max_length=255)]


class MessageReference(Struct, frozen=True, kw_only=True):
    """A message of the same conversation, by what its author calls it."""

    device_id: str
    client_id: str


# what people say


class Text(Struct, frozen=True, kw_only=True, tag="text", omit_defaults=True):
    """A text; `mentions` are user ids. A `reply_to` that is a bare client_id is an older client's."""

    text: str
    reply_to: MessageReference | str | None = None
    mentions: Annotated[list[str], Meta(max_length=100)] | None = None


class FileBody(Struct, frozen=True, kw_only=True, tag="file", omit_defaults=True):
    """A file, and what is said about it. `duration` is in milliseconds, `width` and `height` in pixels."""

    file: FileReference
    text: str = ""
    thumbnail: Annotated[bytes, Meta(max_length=16_384)] | None = None
    duration: Annotated[int, Meta(ge=0, lt=2**32)] | None = None
    waveform: Peaks | None = None
    width: Pixels | None = None
    height: Pixels | None = None
    reply_to: MessageReference | None = None


class Reaction(Struct, frozen=True, kw_only=True, tag="reaction"):
    """A reaction to a message; an empty `emoji` takes it back."""

    message: MessageReference
    emoji: Emoji


class Edit(Struct, frozen=True, kw_only=True, tag="edit"):
    """Another text for a message of the author's own."""

    message: MessageReference
    text: str


class Delete(Struct, frozen=True, kw_only=True, tag="delete"):
    """Take a message away: the author's own, or, by an admin of the roster, anybody's in the group."""

    message: MessageReference


class Timer(Struct, frozen=True, kw_only=True, tag="timer"):
    """How many seconds later messages are kept in this conversation; None for ever."""

    expires_in: Annotated[int, Meta(ge=1, le=31_536_000)] | None


# what devices say


class SenderKey(Struct, frozen=True, kw_only=True, tag="sender_key"):
    """A sender's chain from `iteration` on; `number` is what the sender's next message will bear."""

    chain_id: Id16
    iteration: Annotated[int, Meta(ge=0, lt=2**32)]
    chain_key: Key
    signature_key: Key
    number: Annotated[int, Meta(ge=1, lt=2**53)]


class Start(Struct, frozen=True, kw_only=True, tag="start"):
    """To a device that is new in a direct conversation: `number` is what the sender's next message will
    bear."""

    number: Annotated[int, Meta(ge=1, lt=2**53)]


class ResendRequest(Struct, frozen=True, kw_only=True, tag="resend_request"):
    """The message `client_id` of this conversation could not be decrypted."""

    client_id: str


class Resent(Struct, frozen=True, kw_only=True, tag="resent"):
    """A message again: its payload as it was, encoded."""

    payload: bytes


class AccountGrant(Struct, frozen=True, kw_only=True, tag="account_grant"):
    """The account's private key for a new device; `proof` is by the secret in the code that it showed."""

    seed: Key
    proof: Key


class MetadataKey(Struct, frozen=True, kw_only=True, tag="metadata_key"):
    """The key of the conversation's `metadata`."""

    key: Key


class RosterMember(Struct, frozen=True, kw_only=True):
    """A member of a group as its members see it: under this account key, in this role."""

    user_id: str
    account_key: Key
    role: Role


class RosterBody(Struct, frozen=True, kw_only=True, tag="roster"):
    """A group's whole roster, to some devices of it."""

    version: Version
    members: Annotated[list[RosterMember], Meta(max_length=MAX_MEMBERS)]


class RosterChange(Struct, frozen=True, kw_only=True, tag="roster_change", omit_defaults=True):
    """The next version of a group's roster: the one with the digest `previous`, less those of `remove`, and
    with each of `put` as a new member or in the place of the one with its user_id."""

    version: Version
    previous: Key
    put: Annotated[list[RosterMember], Meta(max_length=MAX_MEMBERS)] = []
    remove: Annotated[list[str], Meta(max_length=MAX_MEMBERS)] = []


class RosterRequest(Struct, frozen=True, kw_only=True, tag="roster_request"):
    """The sender has no roster, or an older one than the receiver's messages name: `version`, 0 for none."""

    version: Annotated[int, Meta(ge=0, lt=2**53)]


# to one's own devices


class Verified(Struct, frozen=True, kw_only=True, tag="verified"):
    """The user has compared the safety number of this account key."""

    user_id: str
    account_key: Key


class ReadMark(Struct, frozen=True, kw_only=True, tag="read_mark"):
    """The user has read a conversation up to this message."""

    conversation_id: str
    message: MessageReference


class Mute(Struct, frozen=True, kw_only=True, tag="mute"):
    """A conversation is muted until a time (RFC 3339); None takes it back."""

    conversation_id: str
    until: str | None


class Archive(Struct, frozen=True, kw_only=True, tag="archive"):
    """A conversation is put aside, or taken out again."""

    conversation_id: str
    archived: bool


class Pin(Struct, frozen=True, kw_only=True, tag="pin"):
    """A conversation stands on top, or no more."""

    conversation_id: str
    pinned: bool


class Note(Struct, frozen=True, kw_only=True, tag="note"):
    """The user's own note about a conversation; an empty `text` takes it away."""

    conversation_id: str
    text: Annotated[str, Meta(max_length=16_384)]


class Unknown(Struct, frozen=True, kw_only=True):
    """A body of a type that this client does not know."""

    type: str


Spoken = Text | FileBody
Known = (
    Text
    | FileBody
    | Reaction
    | Edit
    | Delete
    | Timer
    | SenderKey
    | Start
    | ResendRequest
    | Resent
    | AccountGrant
    | MetadataKey
    | RosterBody
    | RosterChange
    | RosterRequest
    | Verified
    | ReadMark
    | Mute
    | Archive
    | Pin
    | Note
)
Body = Known | Unknown

_TYPES = frozenset(kind.__struct_config__.tag for kind in get_args(Known))
_type = msgspec.json.Decoder(Unknown)
_known: msgspec.json.Decoder[Known] = msgspec.json.Decoder(Known)


def encode_body(body: Known) -> msgspec.Raw:
    """The body as JSON, to be a payload's member."""
    return msgspec.Raw(msgspec.json.encode(body))


def decode_body(raw: bytes) -> Body:
    """The body; Malformed where it does not fit its type."""
    try:
        found = _type.decode(raw)
        return _known.decode(raw) if found.type in _TYPES else found
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"The message's body does not fit: {error}.") from None
