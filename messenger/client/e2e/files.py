"""Files: encrypted in chunks, so that order, truncation and tampering show, in constant memory.

The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar, Online Authenticated-Encryption and its
Nonce-Reuse Misuse-Resistance, 2015) with AES-256-GCM-SIV:

    blob   = head chunk chunk ... last_chunk
    head   = version (1 byte, 1) zero (1 byte)
    key    = HKDF(file key, info="messenger-file-1" head)
    chunk  = AES-256-GCM-SIV of 65,536 bytes (the last one: 0 to 65,536), with a tag of 16 bytes
    nonce  = 7 zero bytes, number of the chunk (4 bytes, big-endian, from 0), 1 for the last chunk, else 0

What is encrypted is the file and then zeros up to a padded size (`padding.py`), so that the blob's size
says little. Each file has a fresh key; should an upload be begun again with the same key and a file that
was changed meanwhile, GCM-SIV shows which chunks are equal and nothing else.

The reference (`FileReference`: file_id, key, the blob's SHA-256, size, name, type) travels inside a message.
"""

import hashlib
import os
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from messenger.client.e2e.bodies import FileReference
from messenger.client.e2e.errors import FileMismatch, FileTampered, FileTruncated, UnsupportedVersion
from messenger.client.e2e.padding import padded_file_size
from messenger.client.e2e.primitives import TAG_BYTES, Random, hkdf, same

CHUNK = 65_536
HEAD = b"\x01\x00"
FILE_INFO = b"messenger-file-1"
_STORED_CHUNK = CHUNK + TAG_BYTES
_ZEROS = bytes(CHUNK)


def stored_size(size: int) -> int:
    """The size in bytes of the blob of a file of `size` bytes."""
    whole = padded_file_size(size)
    return len(HEAD) + whole + TAG_BYTES * max(1, -(-whole // CHUNK))


def _cipher(key: bytes) -> AESGCMSIV:
    return AESGCMSIV(hkdf(key, FILE_INFO + HEAD))


def _nonce(number: int, last: bool) -> bytes:
    return bytes(7) + number.to_bytes(4, "big") + bytes((last,))


class FileEncryptor:
    """Encrypts one file, once. Feed all of it to `update`, then send what `finish` yields."""

    def __init__(self, key: bytes | None = None, *, random: Random = os.urandom) -> None:
        self.key = random(32) if key is None else key
        self.size = 0
        self._cipher = _cipher(self.key)
        self._digest = hashlib.sha256()
        self._waiting = bytearray()
        self._number = 0
        self._begun = False

    def update(self, data: bytes) -> bytes:
        """Take the next part of the file, of any size; the part of the blob that is ready, maybe empty."""
        self.size += len(data)
        return self._feed(data)

    def finish(self) -> Iterator[bytes]:
        """The rest of the blob, in pieces: padding, and the chunk that ends it."""
        left = padded_file_size(self.size) - self.size
        while left > 0:
            part = _ZEROS[:left]
            left -= len(part)
            if ready := self._feed(part):
                yield ready
        yield self._out(self._chunk(bytes(self._waiting), last=True))

    def reference(self, file_id: str, name: str, media_type: str) -> FileReference:
        """The reference, once `finish` has yielded everything and the server has given the blob an id."""
        return FileReference(
            file_id=file_id,
            key=self.key,
            sha256=self.sha256,
            size=self.size,
            name=name,
            media_type=media_type,
        )

    @property
    def sha256(self) -> bytes:
        """The SHA-256 of the blob so far."""
        return self._digest.digest()

    def _feed(self, data: bytes) -> bytes:
        self._waiting += data
        ready = []
        # A full chunk waits until more comes: it may be the last.
        while len(self._waiting) > CHUNK:
            ready.append(self._chunk(bytes(self._waiting[:CHUNK]), last=False))
            del self._waiting[:CHUNK]
        return self._out(b"".join(ready))

    def _chunk(self, plaintext: bytes, *, last: bool) -> bytes:
        sealed = self._cipher.encrypt(_nonce(self._number, last), plaintext, None)
        self._number += 1
        return sealed

    def _out(self, part: bytes) -> bytes:
        if part and not self._begun:
            self._begun, part = True, HEAD + part
        self._digest.update(part)
        return part


class FileDecryptor:
    """Decrypts the blob of a reference. What `update` gives is the sender's; that it is all of the file is
    known when `finish` has returned, so a file gets its place only then."""

    def __init__(self, reference: FileReference) -> None:
        self._reference = reference
        self._cipher = _cipher(reference.key)
        self._digest = hashlib.sha256()
        self._waiting = bytearray()
        self._number = 0
        self._headed = False
        self._taken = 0  # bytes of the blob
        self._given = 0  # bytes of the file
        self._stored = stored_size(reference.size)

    def update(self, blob: bytes) -> bytes:
        """Take the next part of the blob, of any size; the part of the file that it brings, maybe empty.

        Raises FileTampered, FileMismatch, UnsupportedVersion.
        """
        self._taken += len(blob)
        if self._taken > self._stored:
            raise FileMismatch("The stored file is longer than its reference says.")
        self._digest.update(blob)
        self._waiting += blob
        if not self._headed and len(self._waiting) >= len(HEAD):
            if self._waiting[: len(HEAD)] != HEAD:
                raise UnsupportedVersion("The file was encrypted by a newer client, or was changed.")
            del self._waiting[: len(HEAD)]
            self._headed = True
        parts = []
        while self._headed and len(self._waiting) > _STORED_CHUNK:
            parts.append(self._open(bytes(self._waiting[:_STORED_CHUNK]), last=False))
            del self._waiting[:_STORED_CHUNK]
        return b"".join(parts)

    def finish(self) -> bytes:
        """The end of the file, once all of the blob was fed and everything fits the reference.

        Raises FileTruncated, FileTampered, FileMismatch.
        """
        if self._taken < self._stored:
            raise FileTruncated(f"The file ends after {self._taken:,} of {self._stored:,} bytes.")
        rest = self._open(bytes(self._waiting), last=True)
        if not same(self._digest.digest(), self._reference.sha256):
            raise FileMismatch("The stored file has another hash than its reference says.")
        return rest

    def _open(self, chunk: bytes, *, last: bool) -> bytes:
        try:
            plaintext = self._cipher.decrypt(_nonce(self._number, last), chunk, None)
        except (InvalidTag, ValueError):
            raise FileTampered(self._number) from None
        self._number += 1
        part = plaintext[: max(0, self._reference.size - self._given)]
        self._given += len(part)
        if any(plaintext[len(part) :]):
            raise FileMismatch("The file is longer than its reference says.")
        return part
