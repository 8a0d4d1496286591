"""The form of ciphertexts on the wire: bytes, big-endian, no padding between members.

    envelope = version (1 byte, 1) type (1 byte) rest
    type 1, a ratchet message:  session_id (16) ratchet
    type 2, a first message:    handshake ratchet
    type 3, group content:      chain_id (16) iteration (4) ciphertext signature (64)

    handshake = identity_key (32, Ed25519) ephemeral_key (32, X25519) signed_prekey_id (4)
                one_time_prekey_id (4) kem_prekey_id (4) [kem_ciphertext (1,568)]
    ratchet   = ratchet_key (32, X25519) previous (4) number (4) ciphertext

A prekey id of 0xFFFFFFFF says that there is none; the KEM ciphertext is there exactly where the KEM prekey
is. A sender puts the handshake before every message until the peer has answered in the session.
"""

import struct
from typing import NamedTuple

from messenger.client.e2e.errors import Malformed, UnsupportedVersion
from messenger.client.e2e.primitives import TAG_BYTES

VERSION = 1
RATCHET, FIRST, GROUP = 1, 2, 3
KEM_CIPHERTEXT_BYTES = 1568
ID_BYTES = 16
SIGNATURE_BYTES = 64

_NONE = 0xFFFFFFFF
_HANDSHAKE = struct.Struct(">32s32sIII")
_RATCHET = struct.Struct(">32sII")
_GROUP = struct.Struct(">16sI")


class Handshake(NamedTuple):
    """The header from which the peer works out the session's secret."""

    identity_key: bytes
    ephemeral_key: bytes
    signed_prekey_id: int
    one_time_prekey_id: int | None
    kem_prekey_id: int | None
    kem_ciphertext: bytes

    def encode(self) -> bytes:
        """Its bytes."""
        one_time = _NONE if self.one_time_prekey_id is None else self.one_time_prekey_id
        kem = _NONE if self.kem_prekey_id is None else self.kem_prekey_id
        head = _HANDSHAKE.pack(self.identity_key, self.ephemeral_key, self.signed_prekey_id, one_time, kem)
        return head + self.kem_ciphertext


class RatchetMessage(NamedTuple):
    """One Double Ratchet message."""

    ratchet_key: bytes
    previous: int
    number: int
    ciphertext: bytes

    def encode(self) -> bytes:
        """Its bytes."""
        return _RATCHET.pack(self.ratchet_key, self.previous, self.number) + self.ciphertext


class Envelope(NamedTuple):
    """A pairwise envelope, taken apart: `handshake` or `session_id`, never both."""

    session_id: bytes | None
    handshake: Handshake | None
    message: RatchetMessage


class GroupContent(NamedTuple):
    """Group content, taken apart; `signed` is all but the signature."""

    chain_id: bytes
    iteration: int
    head: bytes
    ciphertext: bytes
    signature: bytes

    @property
    def signed(self) -> bytes:
        """The bytes before the signature."""
        return self.head + self.ciphertext


def ratchet_envelope(session_id: bytes, message: RatchetMessage) -> bytes:
    """An envelope in a session that the peer knows."""
    return bytes((VERSION, RATCHET)) + session_id + message.encode()


def first_envelope(handshake: bytes, message: RatchetMessage) -> bytes:
    """An envelope that begins a session; `handshake` is encoded."""
    return bytes((VERSION, FIRST)) + handshake + message.encode()


def group_head(chain_id: bytes, iteration: int) -> bytes:
    """The header before the ciphertext of group content."""
    return bytes((VERSION, GROUP)) + _GROUP.pack(chain_id, iteration)


def begins_session(raw: bytes) -> bool:
    """Whether an envelope bears a handshake."""
    return len(raw) > 1 and raw[1] == FIRST


def decode_envelope(raw: bytes) -> Envelope:
    """An envelope taken apart; Malformed or UnsupportedVersion where that fails."""
    kind = _kind(raw)
    if kind == RATCHET:
        session_id, rest = _split(raw[2:], ID_BYTES)
        return Envelope(session_id, None, _ratchet(rest))
    if kind != FIRST:
        raise Malformed(f"An envelope is not of type {kind}.")
    handshake, rest = _handshake(raw[2:])
    return Envelope(None, handshake, _ratchet(rest))


def decode_group(raw: bytes) -> GroupContent:
    """Group content taken apart; Malformed or UnsupportedVersion where that fails."""
    kind = _kind(raw)
    if kind != GROUP:
        raise Malformed(f"Group content is not of type {kind}.")
    head, rest = _split(raw, 2 + _GROUP.size)
    if len(rest) < TAG_BYTES + SIGNATURE_BYTES:
        raise Malformed("Group content is cut short.")
    chain_id, iteration = _GROUP.unpack(head[2:])
    return GroupContent(chain_id, iteration, head, rest[:-SIGNATURE_BYTES], rest[-SIGNATURE_BYTES:])


def chain_id_of(content: bytes) -> bytes:
    """The id, 16 bytes, of the sender key that group content is under."""
    return decode_group(content).chain_id


def _kind(raw: bytes) -> int:
    if len(raw) < 2:
        raise Malformed("The ciphertext is cut short.")
    if raw[0] != VERSION:
        raise UnsupportedVersion(
            f"The ciphertext is of version {raw[0]}; this client knows version {VERSION}."
        )
    return raw[1]


def _handshake(raw: bytes) -> tuple[Handshake, bytes]:
    head, rest = _split(raw, _HANDSHAKE.size)
    identity_key, ephemeral_key, signed, one_time, kem = _HANDSHAKE.unpack(head)
    ciphertext = b""
    if kem != _NONE:
        ciphertext, rest = _split(rest, KEM_CIPHERTEXT_BYTES)
    found = Handshake(
        identity_key,
        ephemeral_key,
        signed,
        None if one_time == _NONE else one_time,
        None if kem == _NONE else kem,
        ciphertext,
    )
    return found, rest


def _ratchet(raw: bytes) -> RatchetMessage:
    head, ciphertext = _split(raw, _RATCHET.size)
    ratchet_key, previous, number = _RATCHET.unpack(head)
    return RatchetMessage(ratchet_key, previous, number, ciphertext)


def _split(raw: bytes, size: int) -> tuple[bytes, bytes]:
    if len(raw) < size:
        raise Malformed("The ciphertext is cut short.")
    return raw[:size], raw[size:]
