"""Devices with private keys, and what they publish."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from messenger.core.identity import Identity
from messenger.core.ids import new_id
from messenger.keys.domain import list_bytes
from messenger.wire.codec import Binary, Uuid
from messenger.wire.keys import (
    DeviceList,
    IdentityKey,
    KemPrekey,
    ListedDevice,
    OneTimePrekey,
    OneTimePrekeys,
    SignedPrekey,
)


class Device:
    """A device with its private keys."""

    def __init__(self, user_id: str | None = None) -> None:
        self.who = Identity(user_id or new_id(), new_id(), new_id(), 1_000, 9_000)
        self.identity = Ed25519PrivateKey.generate()
        self.next_id = 0

    def identity_body(self) -> IdentityKey:
        return IdentityKey(Binary(self.identity.public_key().public_bytes_raw()))

    def signed(self, key_id: int, signer: "Device | None" = None) -> SignedPrekey:
        public = x25519_key()
        signature = (signer or self).identity.sign(public)
        return SignedPrekey(key_id, Binary(public), Binary(signature))

    def one_time(self, count: int) -> OneTimePrekeys:
        first, self.next_id = self.next_id, self.next_id + count
        return OneTimePrekeys([OneTimePrekey(first + i, Binary(x25519_key())) for i in range(count)])

    def kem(self, key_id: int) -> KemPrekey:
        public = bytes([key_id % 256]) + bytes(1567)
        return KemPrekey(key_id, Binary(public), Binary(self.identity.sign(public)))

    def listed(self) -> ListedDevice:
        return ListedDevice(Uuid(self.who.device_id), Binary(self.identity.public_key().public_bytes_raw()))


def signed_list(account: Ed25519PrivateKey, version: int, *devices: Device, user_id: str = "") -> DeviceList:
    """A user's list of these devices."""
    listed = [one.listed() for one in devices]
    return signed_names(account, version, user_id or devices[0].who.user_id, listed)


def signed_names(
    account: Ed25519PrivateKey, version: int, user_id: str, listed: list[ListedDevice]
) -> DeviceList:
    """A list that says just this, with a signature that holds."""
    key = Binary(account.public_key().public_bytes_raw())
    unsigned = DeviceList(key, version, listed, Binary(b""))
    return DeviceList(key, version, listed, Binary(account.sign(list_bytes(user_id, unsigned))))


def x25519_key() -> bytes:
    return X25519PrivateKey.generate().public_key().public_bytes_raw()
