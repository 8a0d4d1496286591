"""The few primitives that everything here is made of, and nothing else uses.

HKDF and HMAC with SHA-256 (RFC 5869, RFC 2104), Ed25519 (RFC 8032), X25519 (RFC 7748), AES-256-GCM-SIV
(RFC 8452). Every use has its own label that begins with `messenger-` and ends in a version.

GCM-SIV because its failure is mild: should a key ever be used twice after all (a store restored from a
backup), it tells whether two plaintexts are the same, and nothing more.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from messenger.client.e2e.errors import AuthenticationFailed, Malformed
from messenger.wire.codec import uuid_text

Random = Callable[[int], bytes]

TAG_BYTES: Final = 16
_ZEROS = bytes(32)

# Of curve 25519. The y coordinates are those of all points of order 1, 2, 4 and 8 in Edwards form.
_PRIME = 2**255 - 19
_SMALL_ORDER_Y = frozenset(
    {
        0,
        1,
        _PRIME - 1,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        55188659117513257062467267217118295137698188065244968500265048394206261417927,
    }
)


def hkdf(secret: bytes, info: bytes, length: int = 32, *, salt: bytes = _ZEROS) -> bytes:
    """HKDF-SHA-256; the salt is 32 zero bytes unless given."""
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


def hmac_sha256(key: bytes, text: bytes) -> bytes:
    """HMAC-SHA-256, 32 bytes."""
    return hmac.digest(key, text, "sha256")


def sha256(*parts: bytes) -> bytes:
    """SHA-256 of the parts joined."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def same(one: bytes, other: bytes) -> bool:
    """Whether two byte strings are equal, in constant time for equal lengths."""
    return hmac.compare_digest(one, other)


def seal_once(key: bytes, info: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """AES-256-GCM-SIV under a key that seals this one message: key and nonce are HKDF's of `key` and
    `info`."""
    material = hkdf(key, info, 44)
    return AESGCMSIV(material[:32]).encrypt(material[32:], plaintext, associated)


def open_once(key: bytes, info: bytes, ciphertext: bytes, associated: bytes) -> bytes:
    """Open what `seal_once` sealed; AuthenticationFailed where it did not."""
    material = hkdf(key, info, 44)
    if len(ciphertext) < TAG_BYTES:
        raise AuthenticationFailed("The message is shorter than any ciphertext.")
    try:
        return AESGCMSIV(material[:32]).decrypt(material[32:], ciphertext, associated)
    except InvalidTag:
        raise AuthenticationFailed("The message was changed, or is for another key.") from None


def ed25519_public(seed: bytes) -> bytes:
    """The public key of a seed of 32 bytes."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def ed25519_sign(seed: bytes, text: bytes) -> bytes:
    """The signature, 64 bytes."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(text)


def ed25519_holds(public: bytes, signature: bytes, text: bytes) -> bool:
    """Whether `signature` is the key's over `text`; False too for what is no key.

    RFC 8032 section 5.1.7 without the cofactor, which is how OpenSSL checks it. All clients have to judge
    alike, so what OpenSSL takes beyond that is refused here: keys of small order, under which one signature
    holds over many texts, and keys that are no canonical encoding.
    """
    y = int.from_bytes(public, "little") & (1 << 255) - 1
    if y >= _PRIME or y in _SMALL_ORDER_Y:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def x25519_public(private: bytes) -> bytes:
    """The public key of 32 private bytes."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def id_bytes(text: str) -> bytes:
    """An id's 16 bytes; Malformed for anything else, other spellings of a UUID too."""
    if uuid_text(text) != text:
        raise Malformed("An id is no UUID in lower case.")
    return UUID(text).bytes
