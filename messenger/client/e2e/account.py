"""The account key: a user's own Ed25519 key, which says which devices are the user's.

It signs the list of them, with a version that only rises, over

    "messenger-device-list-1" 0x00 user_id version (8) then of each device: device_id identity_key (32)

by rising device_id (docs/encryption.md, "Device lists").

Two users compare a safety number to know that they have each other's true account keys. It is made as
Signal's fingerprints are: for each user SHA-512 over version (2 bytes, 0), account key, user_id (16 bytes),
5,200 times over with the account key appended; six groups of five bytes of that, each modulo 100,000, are
30 digits; both users' 30 digits, the smaller first.
"""

import hashlib
import os
from collections.abc import Mapping
from uuid import UUID

from msgspec import Struct

from messenger.client.e2e.errors import BadDeviceList, Malformed
from messenger.client.e2e.primitives import (
    Random,
    ed25519_holds,
    ed25519_public,
    ed25519_sign,
    id_bytes,
    sha256,
)
from messenger.client.e2e.state import dump, load
from messenger.wire.codec import Binary, Uuid
from messenger.wire.keys import DeviceList, ListedDevice

LIST_LABEL = b"messenger-device-list-1\0"
OWN_LABEL = b"messenger-own-conversation-1\0"
MAX_LISTED = 10
_ITERATIONS = 5_200
_FINGERPRINT_VERSION = b"\0\0"


class _State(Struct):
    seed: bytes


class AccountKey:
    """The private half."""

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self.public = ed25519_public(seed)

    @classmethod
    def create(cls, random: Random = os.urandom) -> "AccountKey":
        """A new account key."""
        return cls(random(32))

    @classmethod
    def from_bytes(cls, raw: bytes) -> "AccountKey":
        """The key that `to_bytes` wrote; BadState for anything else."""
        return cls(load(raw, _State).seed)

    def to_bytes(self) -> bytes:
        """The key in the clear: to be stored encrypted."""
        return dump(_State(self.seed))

    def sign_list(self, user_id: str, version: int, devices: Mapping[str, bytes]) -> DeviceList:
        """The user's device list of this version (1 or above): identity keys (32 bytes) by device_id, at most
        ten."""
        signature = ed25519_sign(self.seed, _listed(user_id, version, devices))
        named = [ListedDevice(Uuid(one), Binary(devices[one])) for one in sorted(devices)]
        return DeviceList(Binary(self.public), version, named, Binary(signature))


def devices_of_list(user_id: str, given: DeviceList) -> dict[str, bytes]:
    """The identity keys that a list names, by device_id. BadDeviceList where it is not its account key's list
    of this user's devices, or names more than ten, one twice, or one key for two."""
    devices = {str(one.device_id): bytes(one.identity_key) for one in given.devices}
    if len(devices) != len(given.devices) or len(devices) > MAX_LISTED:
        raise BadDeviceList("A device list names a device twice, or more than ten.")
    if len(set(devices.values())) != len(devices) or any(len(key) != 32 for key in devices.values()):
        raise BadDeviceList("A device list names a key twice, or what is no key.")
    try:
        text = _listed(user_id, given.version, devices)
    except Malformed as error:
        raise BadDeviceList(f"A device list can't be read: {error}") from None
    if not ed25519_holds(bytes(given.account_key), bytes(given.signature), text):
        raise BadDeviceList("A device list is not signed by its account key.")
    return devices


def own_conversation_id(user_id: str) -> str:
    """The client_id of the conversation of a user's own devices: the first 16 bytes of SHA-256 over
    "messenger-own-conversation-1" 0x00 user_id, as a UUID of version 8 (RFC 9562 section 5.8)."""
    raw = bytearray(sha256(OWN_LABEL, id_bytes(user_id))[:16])
    raw[6], raw[8] = raw[6] & 0x0F | 0x80, raw[8] & 0x3F | 0x80
    return str(UUID(bytes=bytes(raw)))


def safety_number(user_a: str, account_key_a: bytes, user_b: str, account_key_b: bytes) -> str:
    """60 digits in groups of five, the same whoever of the two asks."""
    both = sorted((_fingerprint(user_a, account_key_a), _fingerprint(user_b, account_key_b)))
    digits = "".join(both)
    return " ".join(digits[start : start + 5] for start in range(0, len(digits), 5))


def _listed(user_id: str, version: int, devices: Mapping[str, bytes]) -> bytes:
    head = LIST_LABEL + id_bytes(user_id) + version.to_bytes(8, "big")
    return head + b"".join(one + key for one, key in sorted((id_bytes(one), devices[one]) for one in devices))


def _fingerprint(user_id: str, account_key: bytes) -> str:
    digest = _FINGERPRINT_VERSION + account_key + id_bytes(user_id)
    for _ in range(_ITERATIONS):
        digest = hashlib.sha512(digest + account_key).digest()
    groups = (int.from_bytes(digest[start : start + 5], "big") % 100_000 for start in range(0, 30, 5))
    return "".join(f"{group:05d}" for group in groups)
