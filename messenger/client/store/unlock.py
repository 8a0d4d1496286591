"""The store's key: 32 random bytes, wrapped under a passphrase, or kept in the system's keyring.

`key.json` beside the store says which. Under a passphrase it holds the key encrypted by ChaCha20-Poly1305
(RFC 8439) under a key that Argon2id (RFC 9106, second recommended option: 64 MiB, 3 passes, 4 lanes) makes of
the passphrase; so another passphrase costs no new encryption of the store. The parameters
stand in the file, so that later versions may raise them. It is no half of the account's password: see
e2e/password.py.
"""

import os
from base64 import b64decode, b64encode
from pathlib import Path
from secrets import token_bytes, token_hex
from threading import Lock
from typing import Any, Literal, Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from msgspec import Struct

from messenger.client.errors import (
    KeyringUnavailable,
    NoProfile,
    StoreCorrupt,
    StoreTooNew,
    WrongPassphrase,
)

KEY_BYTES = 32
KEY_FILE = "key.json"
VERSION = 1
MEMORY_KIB = 64 * 1024
MOST_MEMORY_KIB = 4 * 1024 * 1024  # a damaged file must not take all of the machine
PASSES = 3
LANES = 4
KEYRING_SERVICE = "secure-messenger"
_LABEL = b"messenger-store-key-1"
# OpenSSL lends out its threads once: a second derivation at the same time would fail for want of them.
one_at_a_time = Lock()


class KeyFile(Struct, frozen=True, kw_only=True):
    """How the store's key is kept. Binary members are base64; `entry` names the keyring's entry."""

    version: int
    kind: Literal["passphrase", "keyring"]
    salt: str = ""
    memory_kib: int = 0
    passes: int = 0
    lanes: int = 0
    nonce: str = ""
    wrapped: str = ""
    entry: str = ""


class Unlock(Protocol):
    """Something that keeps a store's key."""

    @property
    def kind(self) -> Literal["passphrase", "keyring"]:
        """Which kind of keeper it is."""

    def keep(self, key: bytes) -> KeyFile:
        """Keep a new key; what finds it again."""

    def key(self, file: KeyFile) -> bytes:
        """The key again."""


class Passphrase:
    """A passphrase that the user types. ValueError for an empty one."""

    kind: Literal["passphrase"] = "passphrase"

    def __init__(self, text: str, *, memory_kib: int = MEMORY_KIB) -> None:
        if not text:
            raise ValueError("The passphrase is empty.")
        self._text = text.encode()
        self._memory_kib = memory_kib

    def __repr__(self) -> str:
        return "Passphrase(...)"

    def keep(self, key: bytes) -> KeyFile:
        """The key, wrapped."""
        salt, nonce = token_bytes(16), token_bytes(12)
        wrapping = self._derive(salt, self._memory_kib, PASSES, LANES)
        wrapped = ChaCha20Poly1305(wrapping).encrypt(nonce, key, _LABEL)
        return KeyFile(
            version=VERSION,
            kind="passphrase",
            salt=b64encode(salt).decode(),
            memory_kib=self._memory_kib,
            passes=PASSES,
            lanes=LANES,
            nonce=b64encode(nonce).decode(),
            wrapped=b64encode(wrapped).decode(),
        )

    def key(self, file: KeyFile) -> bytes:
        """The key, unwrapped. WrongPassphrase, StoreCorrupt."""
        if not (0 < file.memory_kib <= MOST_MEMORY_KIB and 0 < file.passes <= 100 and 0 < file.lanes <= 64):
            raise StoreCorrupt(f"{KEY_FILE} asks for an absurd amount of work.")
        try:
            wrapping = self._derive(b64decode(file.salt), file.memory_kib, file.passes, file.lanes)
            return ChaCha20Poly1305(wrapping).decrypt(b64decode(file.nonce), b64decode(file.wrapped), _LABEL)
        except InvalidTag:
            raise WrongPassphrase() from None
        except ValueError as error:
            raise StoreCorrupt(f"{KEY_FILE} is damaged: {error}.") from None

    def _derive(self, salt: bytes, memory_kib: int, passes: int, lanes: int) -> bytes:
        kdf = Argon2id(salt=salt, length=KEY_BYTES, iterations=passes, lanes=lanes, memory_cost=memory_kib)
        with one_at_a_time:
            return kdf.derive(self._text)


class SystemKeyring:
    """The keyring of the user's desktop, by the package `keyring` (extra `keyring`)."""

    kind: Literal["keyring"] = "keyring"

    def keep(self, key: bytes) -> KeyFile:
        """The key, as an entry of the keyring."""
        entry = token_hex(16)
        keyring = _keyring()
        try:
            keyring.set_password(KEYRING_SERVICE, entry, b64encode(key).decode())
        except keyring.errors.KeyringError as error:
            raise KeyringUnavailable(f"The system's keyring took no key: {error}") from None
        return KeyFile(version=VERSION, kind="keyring", entry=entry)

    def key(self, file: KeyFile) -> bytes:
        """The entry's key; KeyringUnavailable."""
        keyring = _keyring()
        try:
            found = keyring.get_password(KEYRING_SERVICE, file.entry)
        except keyring.errors.KeyringError as error:
            raise KeyringUnavailable(f"The system's keyring gave no key: {error}") from None
        if found is None:
            raise KeyringUnavailable("The system's keyring has no key for this profile.")
        try:
            return b64decode(found, validate=True)
        except ValueError:
            raise KeyringUnavailable("The keyring's entry for this profile is no key.") from None


def _keyring() -> Any:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise KeyringUnavailable(
            "The package `keyring` is missing: pip install 'secure-messenger[keyring]'."
        ) from None
    return keyring


def create_key(profile: Path, unlock: Unlock) -> bytes:
    """A new key for a profile, kept; `key.json` is written whole or not at all."""
    key = token_bytes(KEY_BYTES)
    write_key_file(profile, unlock.keep(key))
    return key


def write_key_file(profile: Path, file: KeyFile) -> None:
    """Write `key.json` so that a crash leaves the old one or the new one."""
    fresh = profile / f"{KEY_FILE}.new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(msgspec.json.encode(file))
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(profile / KEY_FILE)
    folder = os.open(profile, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # the new name lasts too
    finally:
        os.close(folder)


def change_passphrase(profile: Path, old: Passphrase, new: Passphrase) -> None:
    """Wrap a profile's key anew, under another passphrase; a crash leaves the old one or the new one.

    NoProfile, WrongPassphrase (the old one is wrong, or the profile's key is in the keyring), StoreCorrupt,
    StoreTooNew. The store's key stays the same: who kept an old `key.json` opens the store with the old
    passphrase.
    """
    file = read_key_file(profile)
    if file is None:
        raise NoProfile()
    write_key_file(profile, new.keep(stored_key(file, old)))


def read_key_file(profile: Path) -> KeyFile | None:
    """What is kept, None where there is no profile; StoreCorrupt, StoreTooNew."""
    try:
        raw = (profile / KEY_FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        found = msgspec.json.decode(raw, type=KeyFile)
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"{KEY_FILE} is damaged: {error}.") from None
    if found.version > VERSION:
        raise StoreTooNew()
    return found


def stored_key(file: KeyFile, unlock: Unlock) -> bytes:
    """The store's key; WrongPassphrase also where the profile is kept the other way."""
    if file.kind != unlock.kind:
        raise WrongPassphrase(f"This profile is unlocked by {_HOW[file.kind]}.")
    key = unlock.key(file)
    if len(key) != KEY_BYTES:
        raise StoreCorrupt("The store's key has another length than it should.")
    return key


_HOW = {"passphrase": "a passphrase", "keyring": "the system's keyring"}
