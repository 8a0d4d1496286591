"""What a payload can say: JSON objects told apart by `type`. Bytes are base64.

An application passes over a type that it doesn't know (`Unknown`), so that newer clients can say more.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from messenger.client.e2e.errors import Malformed

Key = Annotated[bytes, Meta(min_length=32, max_length=32)]
Id16 = Annotated[bytes, Meta(min_length=16, max_length=16)]


class FileReference(Struct, frozen=True, kw_only=True):
    """Where a file is and how it is read. `sha256` is of the stored blob, `size` of the file, in bytes."""

    file_id: str
    key: Key
    sha256: Key
    size: Annotated[int, Meta(ge=0, le=2**47)]
    name: Annotated[str, Meta(max_length=1024)]
    media_type: Annotated[str, Meta(max_length=255)]


class Text(Struct, frozen=True, kw_only=True, tag="text", omit_defaults=True):
    """A text; `reply_to` is the client_id of the message that it answers."""

    text: str
    reply_to: str | None = None


class FileBody(Struct, frozen=True, kw_only=True, tag="file", omit_defaults=True):
    """A file, and what is said about it."""

    file: FileReference
    text: str = ""


class SenderKey(Struct, frozen=True, kw_only=True, tag="sender_key"):
    """A sender's chain from `iteration` on; `number` is what the sender's next message will bear."""

    chain_id: Id16
    iteration: Annotated[int, Meta(ge=0, lt=2**32)]
    chain_key: Key
    signature_key: Key
    number: Annotated[int, Meta(ge=1)]


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


class Verified(Struct, frozen=True, kw_only=True, tag="verified"):
    """To one's own devices: the user has compared the safety number of this account key."""

    user_id: str
    account_key: Key


class Unknown(Struct, frozen=True, kw_only=True):
    """A body of a type that this client does not know."""

    type: str


Known = Text | FileBody | SenderKey | ResendRequest | Resent | AccountGrant | MetadataKey | Verified
Body = Known | Unknown

_TYPES = frozenset(
    ("text", "file", "sender_key", "resend_request", "resent", "account_grant", "metadata_key", "verified")
)
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
