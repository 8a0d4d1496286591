"""Files, and what is kept with them."""

import hashlib
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from tests.client.second.basics import Draw, Given, Refused, hkdf, padded, raw, unpadded
from tests.client.second.payloads import members, number, parsed, text

HEAD = b"\x01\x00"
CHUNK, STORED = 65_536, 65_552
METADATA = {
    "file": members(name=text(), media_type=text(), size=number(-(2**63), 2**64)),
    "conversation": members(name=text(), description_=text()),
}


def padded_size(size: int) -> int:
    if size <= 1_024:
        return 1_024
    e = size.bit_length() - 1
    step = 1 << (e - e.bit_length())
    return -(-size // step) * step


def chunks_of(size: int) -> int:
    return max(1, -(-padded_size(size) // CHUNK))


def stored_size(size: int) -> int:
    return 2 + padded_size(size) + 16 * chunks_of(size)


def nonce(index: int, last: bool) -> bytes:
    return bytes(7) + index.to_bytes(4, "big") + (b"\x01" if last else b"\x00")


def cipher_of(key: bytes) -> AESGCMSIV:
    return AESGCMSIV(hkdf(key, b"messenger-file-1" + HEAD))


def encrypted(key: bytes, size: int) -> bytes:
    """The blob of the scenarios' file of a size, whose bytes are their places modulo 251."""
    whole = (bytes(range(251)) * (size // 251 + 1))[:size].ljust(padded_size(size), b"\0")
    cipher, count = cipher_of(key), chunks_of(size)
    parts = [whole[index * CHUNK : (index + 1) * CHUNK] for index in range(count)]
    sealed = [cipher.encrypt(nonce(i, i == count - 1), part, None) for i, part in enumerate(parts)]
    return HEAD + b"".join(sealed)


def decrypted(key: bytes, blob: bytes, size: int, sha256: bytes) -> bytes:
    """The file of a reference. What a chunk is refused for comes before what the end of it is."""
    if len(blob) > stored_size(size):
        raise Refused("FileMismatch")
    if len(blob) >= 2 and blob[:2] != HEAD:
        raise Refused("UnsupportedVersion")
    sealed = [blob[at : at + STORED] for at in range(2, len(blob), STORED)] or [b""]
    cipher, found = cipher_of(key), b""
    for index, chunk in enumerate(sealed):
        last = index == len(sealed) - 1
        if last and len(blob) < stored_size(size):
            raise Refused("FileTruncated")
        try:
            found += cipher.decrypt(nonce(index, last), chunk, None)
        except (InvalidTag, ValueError):
            raise Refused("FileTampered") from None
        if any(found[size:]):
            raise Refused("FileMismatch")
    if hashlib.sha256(blob).digest() != sha256:
        raise Refused("FileMismatch")
    return found[:size]


def damaged(blob: bytes, damage: list[Any]) -> bytes:
    changed = bytearray(blob)
    for how, what in damage:
        if how == "xor":
            for index, byte in enumerate(raw(what[1]), what[0] % len(changed)):
                changed[index] ^= byte
        elif how == "take":
            changed = changed[:what]
        elif how == "then":
            changed += raw(what)
        elif how == "pick":
            sealed = [changed[at : at + STORED] for at in range(2, len(changed), STORED)]
            changed = bytearray(changed[:2] + b"".join(sealed[index] for index in what))
    return bytes(changed)


class Files:
    """Verbs of files."""

    draw: Draw

    def do_file_size(self, size: int) -> Given:
        return {"padded": padded_size(size)}

    def do_encrypt_file(self, size: int, part: int) -> Given:
        key = self.draw(32)
        blob = encrypted(key, size)
        return {
            "key": key.hex(),
            "sha256": hashlib.sha256(blob).hexdigest(),
            "stored_size": len(blob),
            "begins": blob[:64].hex(),
            "ends": blob[-64:].hex(),
        }

    def do_decrypt_file(
        self, key: str, size: int, damage: list[Any], said_size: int, sha256: str | None, part: int
    ) -> Given:
        blob = damaged(encrypted(raw(key), size), damage)
        expected = hashlib.sha256(blob).digest() if sha256 is None else raw(sha256)
        found = decrypted(raw(key), blob, said_size, expected)
        return {"size": len(found), "sha256": hashlib.sha256(found).hexdigest()}

    def do_seal_metadata(self, of: str, key: str, metadata: str) -> Given:
        drawn = self.draw(12)
        cipher = AESGCMSIV(hkdf(raw(key), f"messenger-{of}-metadata-1".encode()))
        sealed = b"\x01" + drawn + cipher.encrypt(drawn, padded(metadata.encode()), b"\x01")
        if len(sealed) > 4_096:
            raise Refused("PayloadTooLarge")
        return {"sealed": sealed.hex()}

    def do_open_metadata(self, of: str, key: str, sealed: str) -> Given:
        whole = raw(sealed)
        if whole[:1] != b"\x01":
            raise Refused("UnsupportedVersion")
        if len(whole) < 1 + 12 + 16:
            raise Refused("Malformed")
        cipher = AESGCMSIV(hkdf(raw(key), f"messenger-{of}-metadata-1".encode()))
        try:
            plaintext = cipher.decrypt(whole[1:13], whole[13:], b"\x01")
        except InvalidTag:
            raise Refused("AuthenticationFailed") from None
        return {"metadata": METADATA[of](parsed(unpadded(plaintext)))}
