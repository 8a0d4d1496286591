"""How a new device of a user comes to be trusted, by an old one and a code.

The new device logs in and publishes its keys; the server keeps it unpublished, as nothing vouches for it. It
shows a code, which the user types (or copies) into an old device:

    secret = 10 random bytes
    tag    = HMAC(secret, "messenger-device-code-1" 0x00 user_id device_id identity_key), the first 5 bytes
    code   = base32 of secret and tag, 24 letters in groups of four

The old device computes the tag for each device that waits. The server, which names them, does not know the
secret, and gets one try at 40 bits: only the true identity key fits. The old device puts it into the signed
list, and sends it the account's private key through a session with just this device and identity key:

    proof  = HMAC(secret, "messenger-account-grant-1" 0x00 account_key user_id device_id identity_key)

The new device takes an account key from nobody but who was shown its code: a server that listed the
device under an account key of its own can't make the proof. A code is good for CODE_SECONDS. With the account
key every device can approve the next.
"""

import base64
import binascii
import os
from collections.abc import Iterable

from msgspec import Struct

from messenger.client.e2e.account import AccountKey
from messenger.client.e2e.bodies import AccountGrant
from messenger.client.e2e.errors import CodeError, CodeExpired, GrantRefused
from messenger.client.e2e.prekeys import DeviceKeys
from messenger.client.e2e.primitives import Random, hmac_sha256, id_bytes, same
from messenger.client.e2e.state import dump, load
from messenger.wire.codec import uuid_text
from messenger.wire.keys import PendingDevice

CODE_LABEL = b"messenger-device-code-1\0"
GRANT_LABEL = b"messenger-account-grant-1\0"
CODE_SECONDS = 600
SECRET_BYTES = 10
TAG_BYTES = 5
_LETTERS = (SECRET_BYTES + TAG_BYTES) * 8 // 5


class _State(Struct):
    secret: bytes
    tag: bytes
    created_at: float = 0.0


class DeviceCode:
    """The code that a new device shows; kept until its account key has come."""

    def __init__(self, state: _State) -> None:
        self._state = state

    @classmethod
    def create(cls, keys: DeviceKeys, *, now: float, random: Random = os.urandom) -> "DeviceCode":
        """A new code for the own device; `now` is in seconds since 1970."""
        secret = random(SECRET_BYTES)
        return cls(_State(secret, _tag(secret, keys.user_id, keys.device_id, keys.identity_key), now))

    @classmethod
    def from_bytes(cls, raw: bytes) -> "DeviceCode":
        """The code that `to_bytes` wrote; BadState for anything else."""
        return cls(load(raw, _State))

    def to_bytes(self) -> bytes:
        """The code, in the clear: to be stored encrypted."""
        return dump(self._state)

    @property
    def secret(self) -> bytes:
        """The part that proves that somebody was shown the code."""
        return self._state.secret

    def expired(self, now: float) -> bool:
        """Whether it was made over ten minutes ago, or in the future."""
        return not 0 <= now - self._state.created_at <= CODE_SECONDS

    def __str__(self) -> str:
        text = base64.b32encode(self._state.secret + self._state.tag).decode()
        return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def match_code(text: str, user_id: str, waiting: Iterable[PendingDevice]) -> PendingDevice:
    """The waiting device that shows this code. CodeError where none does: mistyped, or the server lies."""
    secret, tag = _decoded(text)
    for device in waiting:
        if uuid_text(device.device_id) == device.device_id and same(
            _tag(secret, user_id, device.device_id, device.identity_key), tag
        ):
            return device
    raise CodeError("No device of yours that waits shows this code.")


def grant(account: AccountKey, text: str, user_id: str, device: PendingDevice) -> AccountGrant:
    """The grant for the matched device, sent through a session with it alone."""
    secret, _ = _decoded(text)
    proof = _proof(secret, account.public, user_id, device.device_id, device.identity_key)
    return AccountGrant(seed=account.seed, proof=proof)


def accept_grant(code: DeviceCode, keys: DeviceKeys, body: AccountGrant, now: float) -> AccountKey:
    """The account key that a grant brings. GrantRefused where its sender was not shown the code, CodeExpired
    where that was too long ago."""
    account = AccountKey(body.seed)
    expected = _proof(code.secret, account.public, keys.user_id, keys.device_id, keys.identity_key)
    if not same(expected, body.proof):
        raise GrantRefused("An account key comes from somebody who was not shown this device's code.")
    if code.expired(now):
        raise CodeExpired("This device's code was shown over ten minutes ago: show a new one.")
    return account


def _decoded(text: str) -> tuple[bytes, bytes]:
    letters = "".join(text.upper().split()).replace("-", "").translate(str.maketrans("018", "OIB"))
    if len(letters) != _LETTERS:
        raise CodeError(f"A device code has {_LETTERS} letters and digits.")
    try:
        raw = base64.b32decode(letters)
    except (binascii.Error, ValueError):
        raise CodeError("A device code has letters, and digits from 2 to 7.") from None
    return raw[:SECRET_BYTES], raw[SECRET_BYTES:]


def _tag(secret: bytes, user_id: str, device_id: str, identity_key: bytes) -> bytes:
    return hmac_sha256(secret, CODE_LABEL + id_bytes(user_id) + id_bytes(device_id) + identity_key)[
        :TAG_BYTES
    ]


def _proof(secret: bytes, account_key: bytes, user_id: str, device_id: str, identity_key: bytes) -> bytes:
    ids = id_bytes(user_id) + id_bytes(device_id)
    return hmac_sha256(secret, GRANT_LABEL + account_key + ids + identity_key)
