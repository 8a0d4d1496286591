"""The account key: a user's own Ed25519 key, which vouches for the user's devices.

A certificate is its signature over `messenger-device-1`, a zero byte, user_id and device_id (16 bytes each)
and the device's identity key. A device keeps its certificate as long as the account key stands.

Two users compare a safety number to know that they have each other's true account keys. It is made as
Signal's fingerprints are: for each user SHA-512 over version (2 bytes, 0), account key, user_id (16 bytes),
5,200 times over with the account key appended; six groups of five bytes of that, each modulo 100,000, are
30 digits; both users' 30 digits, the smaller first.
"""

import hashlib
import os

from msgspec import Struct

from messenger.client.e2e.errors import Malformed
from messenger.client.e2e.primitives import Random, ed25519_holds, ed25519_public, ed25519_sign, id_bytes
from messenger.client.e2e.state import dump, load

CERTIFICATE_LABEL = b"messenger-device-1\0"
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

    def certify(self, user_id: str, device_id: str, identity_key: bytes) -> bytes:
        """A device's certificate, 64 bytes."""
        return ed25519_sign(self.seed, _certified(user_id, device_id, identity_key))


def certificate_holds(
    account_key: bytes, user_id: str, device_id: str, identity_key: bytes, certificate: bytes
) -> bool:
    """Whether a certificate is the account key's for this device and identity key."""
    try:
        certified = _certified(user_id, device_id, identity_key)
    except Malformed:
        return False
    return ed25519_holds(account_key, certificate, certified)


def safety_number(user_a: str, account_key_a: bytes, user_b: str, account_key_b: bytes) -> str:
    """60 digits in groups of five, the same whoever of the two asks."""
    both = sorted((_fingerprint(user_a, account_key_a), _fingerprint(user_b, account_key_b)))
    digits = "".join(both)
    return " ".join(digits[start : start + 5] for start in range(0, len(digits), 5))


def _certified(user_id: str, device_id: str, identity_key: bytes) -> bytes:
    return CERTIFICATE_LABEL + id_bytes(user_id) + id_bytes(device_id) + identity_key


def _fingerprint(user_id: str, account_key: bytes) -> str:
    digest = _FINGERPRINT_VERSION + account_key + id_bytes(user_id)
    for _ in range(_ITERATIONS):
        digest = hashlib.sha512(digest + account_key).digest()
    groups = (int.from_bytes(digest[start : start + 5], "big") % 100_000 for start in range(0, 30, 5))
    return "".join(f"{group:05d}" for group in groups)
