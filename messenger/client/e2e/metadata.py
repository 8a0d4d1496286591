"""Small things that the server keeps with a file or a conversation: names, types, sizes, sealed.

    sealed = version (1 byte, 1) nonce (12) AES-256-GCM-SIV of the padded JSON, with a tag of 16 bytes
    key    = HKDF(file key or conversation key, info), the associated data is the version byte

The infos are `messenger-file-metadata-1` and `messenger-conversation-metadata-1`. The key of a conversation
travels to its members as `MetadataKey`; it is made anew when a member goes.
"""

import os
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from msgspec import Struct

from messenger.client.e2e.errors import AuthenticationFailed, Malformed, PayloadTooLarge, UnsupportedVersion
from messenger.client.e2e.padding import padded, unpadded
from messenger.client.e2e.primitives import TAG_BYTES, Random, hkdf

FILE_INFO = b"messenger-file-metadata-1"
CONVERSATION_INFO = b"messenger-conversation-metadata-1"
MAX_SEALED = 4096
VERSION = b"\x01"
_NONCE = 12

T = TypeVar("T")


class FileMetadata(Struct, frozen=True, kw_only=True):
    """A file's metadata for its uploader, without the message that it was sent in."""

    name: str
    media_type: str
    size: int


class ConversationMetadata(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A group's name."""

    name: str
    description: str = ""


_file = msgspec.json.Decoder(FileMetadata)
_conversation = msgspec.json.Decoder(ConversationMetadata)


def seal_file_metadata(key: bytes, metadata: FileMetadata, *, random: Random = os.urandom) -> bytes:
    """The sealed metadata of the file with this key; PayloadTooLarge over 4 KiB."""
    return _seal(key, FILE_INFO, msgspec.json.encode(metadata), random)


def open_file_metadata(key: bytes, raw: bytes) -> FileMetadata:
    """The metadata; AuthenticationFailed, Malformed, UnsupportedVersion."""
    return _decoded(_file, _open(key, FILE_INFO, raw))


def seal_conversation_metadata(
    key: bytes, metadata: ConversationMetadata, *, random: Random = os.urandom
) -> bytes:
    """The sealed metadata of a conversation with this key; PayloadTooLarge over 4 KiB."""
    return _seal(key, CONVERSATION_INFO, msgspec.json.encode(metadata), random)


def open_conversation_metadata(key: bytes, raw: bytes) -> ConversationMetadata:
    """The metadata; AuthenticationFailed, Malformed, UnsupportedVersion."""
    return _decoded(_conversation, _open(key, CONVERSATION_INFO, raw))


def _decoded(decoder: "msgspec.json.Decoder[T]", raw: bytes) -> T:
    try:
        if not raw.isascii():
            raw.decode("utf-8")  # msgspec does not look into members that it passes over
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"The metadata does not fit: {error}.") from None


def _seal(key: bytes, info: bytes, plaintext: bytes, random: Random) -> bytes:
    nonce = random(_NONCE)
    sealed = VERSION + nonce + AESGCMSIV(hkdf(key, info)).encrypt(nonce, padded(plaintext), VERSION)
    if len(sealed) > MAX_SEALED:
        raise PayloadTooLarge(f"Metadata has at most {MAX_SEALED:,} bytes with its padding.")
    return sealed


def _open(key: bytes, info: bytes, raw: bytes) -> bytes:
    if raw[:1] != VERSION:
        raise UnsupportedVersion("The metadata is of a newer client, or none.")
    if len(raw) < 1 + _NONCE + TAG_BYTES:
        raise Malformed("The metadata is cut short.")
    nonce, sealed = raw[1 : 1 + _NONCE], raw[1 + _NONCE :]
    try:
        return unpadded(AESGCMSIV(hkdf(key, info)).decrypt(nonce, sealed, VERSION))
    except InvalidTag:
        raise AuthenticationFailed("The metadata was changed, or is under another key.") from None
