"""Primitives under the names of docs/encryption.md, and the refusals that it names."""

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.bindings import crypto_sign_ed25519_pk_to_curve25519

Draw = Callable[[int], bytes]
Given = dict[str, Any]

raw = bytes.fromhex
P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P

WORDS = {
    "tampered": "AuthenticationFailed FileTampered",
    "malformed": "Malformed UnsupportedVersion",
    "replayed": "ReplayedMessage ReplayedFirstMessage",
    "refiled": "ConversationMismatch SenderMismatch ClientIdMismatch KindMismatch",
    "reflected": "ReflectedMessage",
    "bad_sender_signature": "BadSenderSignature",
    "unlisted_device": "UnlistedDevice",
    "bad_device_list": "BadDeviceList",
    "old_device_list": "OldDeviceList",
    "identity_key_changed": "IdentityKeyChanged",
    "account_key_changed": "AccountKeyChanged",
    "bad_prekey_signature": "BadPrekeySignature",
    "kem_downgrade": "KemDowngrade",
    "unusable_key": "UnusableKey",
    "sender_key_refused": "SenderKeyRefused",
    "replay_memory_full": "ReplayMemoryFull",
    "grant_refused": "GrantRefused",
    "code_expired": "CodeExpired",
    "roster_refused": "RosterRefused",
    "undecryptable": "NoSession UnknownPrekey UnknownSenderKey TooFarAhead",
    "truncated": "FileTruncated",
    "mismatch": "FileMismatch",
    "refused": "PayloadTooLarge NotResent CodeError BadContactCode BareKdf UnknownKdf WeakKdf ExcessiveKdf",
}
WORD_OF = {name: word for word, names in WORDS.items() for name in names.split()}


class Refused(Exception):
    """What the page refuses by this name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name
        self.word = WORD_OF[name]


def hkdf(secret: bytes, info: bytes, length: int = 32, salt: bytes = bytes(32)) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


def mac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def ids(*texts: str) -> bytes:
    """The bytes of ids, which have one spelling."""
    found = b""
    for text in texts:
        if not re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text, re.ASCII):
            raise Refused("Malformed")
        found += UUID(text).bytes
    return found


def public_of(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def dh(private: bytes, public: bytes) -> bytes:
    """X25519; ValueError where the result is all zeros."""
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))


def montgomery(ed25519_public: bytes) -> bytes:
    """The birational map; ValueError for no point, or one of small order."""
    try:
        return crypto_sign_ed25519_pk_to_curve25519(ed25519_public)
    except Exception as error:  # the binding's own errors are of several kinds
        raise ValueError("no usable point") from error


def private_of(seed: bytes) -> bytes:
    """An Ed25519 seed's private half for X25519, which clamps it."""
    return hashlib.sha512(seed).digest()[:32]


def signer(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, text: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).sign(text)


def small(y: int) -> bool:
    """Whether points with this y in Edwards form are of order 8 at most: doubled three times, y is 1."""
    for _ in range(3):
        top, bottom = 2 * y * y + D * y**4 - 1, 1 + 2 * D * y * y - D * y**4
        y = top * pow(bottom, P - 2, P) % P
    return y == 1


def holds(public: bytes, signature: bytes, text: bytes) -> bool:
    """Without the cofactor, which is OpenSSL's way; its keys are the page's, less these."""
    y = int.from_bytes(public, "little") & (2**255 - 1)
    if y >= P or small(y):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def seal_once(key: bytes, info: bytes, plaintext: bytes, associated: bytes) -> bytes:
    material = hkdf(key, info, 44)
    return AESGCMSIV(material[:32]).encrypt(material[32:], plaintext, associated)


def open_once(key: bytes, info: bytes, ciphertext: bytes, associated: bytes) -> bytes:
    material = hkdf(key, info, 44)
    try:
        return AESGCMSIV(material[:32]).decrypt(material[32:], ciphertext, associated)
    except (InvalidTag, ValueError):
        raise Refused("AuthenticationFailed") from None


def padded(payload: bytes) -> bytes:
    if len(payload) > 61_439:
        raise Refused("PayloadTooLarge")
    marked = payload + b"\x80"
    power = 1
    while power * 2 <= len(marked):
        power *= 2
    step = max(256, power // 8)
    return marked + bytes(-len(marked) % step)


def unpadded(whole: bytes) -> bytes:
    marked = whole.rstrip(b"\0")
    if marked[-1:] != b"\x80":
        raise Refused("Malformed")
    return marked[:-1]
