"""Files, and what is kept with them."""

import hashlib
from typing import Any

import msgspec

from messenger.client.e2e import (
    ConversationMetadata,
    FileDecryptor,
    FileEncryptor,
    FileMetadata,
    FileReference,
    open_conversation_metadata,
    open_file_metadata,
    seal_conversation_metadata,
    seal_file_metadata,
)
from messenger.client.e2e.padding import padded_file_size
from tests.client.scenarios.running import Draw

raw = bytes.fromhex
Given = dict[str, Any]


def file_of(size: int) -> bytes:
    """The file of a size in all scenarios: each byte is its place modulo 251."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def in_parts(blob: bytes, part: int) -> list[bytes]:
    return [blob[start : start + part] for start in range(0, len(blob), part)]


def damaged(blob: bytes, damage: list[Any]) -> bytes:
    """A blob after what is done to it: `xor` [place, bytes], `take` (the first ones), `then` (more bytes),
    `pick` (these chunks of 65,552 bytes after the head, in this order)."""
    for how, what in damage:
        if how == "xor":
            at, other = what[0] % len(blob), raw(what[1])
            changed = bytes(one ^ two for one, two in zip(blob[at:], other, strict=False))
            blob = blob[:at] + changed + blob[at + len(other) :]
        elif how == "take":
            blob = blob[:what]
        elif how == "then":
            blob += raw(what)
        else:
            chunks = in_parts(blob[2:], 65_552)
            blob = blob[:2] + b"".join(chunks[number] for number in what)
    return blob


class Files:
    """Verbs of files."""

    draw: Draw

    def do_file_size(self, size: int) -> Given:
        return {"padded": padded_file_size(size)}

    def do_encrypt_file(self, size: int, part: int) -> Given:
        encryptor = FileEncryptor(random=self.draw)
        blob = b"".join(encryptor.update(one) for one in in_parts(file_of(size), part))
        blob += b"".join(encryptor.finish())
        return {
            "key": encryptor.key.hex(),
            "sha256": encryptor.sha256.hex(),
            "stored_size": len(blob),
            "begins": blob[:64].hex(),
            "ends": blob[-64:].hex(),
        }

    def do_decrypt_file(
        self, key: str, size: int, damage: list[Any], said_size: int, sha256: str | None, part: int
    ) -> Given:
        """A file of `size` under a key, damaged, by a reference with `said_size` and this hash, or the
        damaged blob's own."""
        encryptor = FileEncryptor(raw(key))
        blob = damaged(encryptor.update(file_of(size)) + b"".join(encryptor.finish()), damage)
        reference = FileReference(
            file_id="",
            key=raw(key),
            sha256=hashlib.sha256(blob).digest() if sha256 is None else raw(sha256),
            size=said_size,
            name="",
            media_type="",
        )
        decryptor = FileDecryptor(reference)
        found = b"".join(decryptor.update(one) for one in in_parts(blob, part)) + decryptor.finish()
        return {"size": len(found), "sha256": hashlib.sha256(found).hexdigest()}

    def do_seal_metadata(self, of: str, key: str, metadata: str) -> Given:
        if of == "file":
            file = msgspec.json.decode(metadata, type=FileMetadata)
            return {"sealed": seal_file_metadata(raw(key), file, random=self.draw).hex()}
        named = msgspec.json.decode(metadata, type=ConversationMetadata)
        return {"sealed": seal_conversation_metadata(raw(key), named, random=self.draw).hex()}

    def do_open_metadata(self, of: str, key: str, sealed: str) -> Given:
        if of == "file":
            return {"metadata": msgspec.to_builtins(open_file_metadata(raw(key), raw(sealed)))}
        return {"metadata": msgspec.to_builtins(open_conversation_metadata(raw(key), raw(sealed)))}
