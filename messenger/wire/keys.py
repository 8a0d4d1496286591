"""Identity keys, prekeys and bundles: the bodies under /keys.

X3DH (Signal's specification, revision 1) on curve 25519. `identity_key` is an Ed25519 public key, prekeys are
X25519 public keys, signatures are Ed25519 by the identity key over the prekey's bytes. PQXDH (Signal's
specification, revision 3) adds ML-KEM-1024 (FIPS 203) prekeys.
"""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from messenger.wire.codec import Binary, Uuid

KeyId = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class IdentityKey(Struct, frozen=True):
    """A device's identity key, 32 bytes, set once."""

    identity_key: Binary


class SignedPrekey(Struct, frozen=True):
    """A prekey of 32 bytes and its signature of 64."""

    key_id: KeyId
    public_key: Binary
    signature: Binary


class OneTimePrekey(Struct, frozen=True):
    """A prekey of 32 bytes that serves one first message."""

    key_id: KeyId
    public_key: Binary


class OneTimePrekeys(Struct, frozen=True):
    """One-time prekeys to be stored, all or none of them."""

    prekeys: Annotated[list[OneTimePrekey], Meta(min_length=1, max_length=100)]


class OneTimePrekeyCount(Struct, frozen=True):
    """How many one-time prekeys of the device are stored now."""

    one_time_prekeys: int


class KemPrekey(Struct, frozen=True):
    """An ML-KEM-1024 encapsulation key of 1,568 bytes, and its signature of 64."""

    key_id: KeyId
    public_key: Binary
    signature: Binary


class KemPrekeys(Struct, frozen=True):
    """KEM prekeys to be stored, all or none of them; `last_resort` replaces the one before and stays."""

    prekeys: Annotated[list[KemPrekey], Meta(max_length=100)]
    last_resort: KemPrekey | None = None


class KemPrekeyCount(Struct, frozen=True):
    """How many one-time KEM prekeys of the device are stored now."""

    kem_prekeys: int


class ListedDevice(Struct, frozen=True):
    """A device in a device list: its id and its identity key of 32 bytes."""

    device_id: Uuid
    identity_key: Binary


class DeviceList(Struct, frozen=True):
    """Which devices are a user's, said by the user's own Ed25519 account key.

    `signature` (64 bytes) is over `messenger-device-list-1`, a zero byte, user_id (16 bytes), version (8,
    big-endian), then device_id (16) and identity_key (32) of each device, by rising device_id. `version` only
    rises.
    """

    account_key: Binary
    version: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    devices: Annotated[list[ListedDevice], Meta(max_length=10)]
    signature: Binary


class KeyStatus(Struct, frozen=True, kw_only=True):
    """The asking device's published keys, by count and age."""

    identity_key: bytes | None
    signed_prekey_id: int | None
    signed_prekey_created_at: str | None
    one_time_prekeys: int
    kem_prekeys: int
    highest_key_id: int | None


class DeviceIdentity(Struct, frozen=True, kw_only=True):
    """A published device and its identity key."""

    device_id: str
    identity_key: bytes


class PendingDevice(Struct, frozen=True, kw_only=True):
    """A device of one's own that the device list does not name yet, or not with this identity key."""

    device_id: str
    identity_key: bytes
    device_name: str | None
    created_at: str


class Identities(Struct, frozen=True, kw_only=True):
    """A user's device list and the identity keys of its published devices.

    Asked of oneself, `pending` has those devices that have an identity key and that the list does not name,
    so that an old device can approve a new one.
    """

    device_list: DeviceList | None
    items: list[DeviceIdentity]
    pending: list[PendingDevice] | UnsetType = UNSET


class Claim(Struct, frozen=True, kw_only=True):
    """Ask for bundles: of all devices of one user, or of named devices; exactly one of the two."""

    user_id: Uuid | None = None
    devices: Annotated[list[Uuid], Meta(min_length=1, max_length=200)] | None = None


class BundleSignedPrekey(Struct, frozen=True):
    """The signed prekey in a bundle."""

    key_id: int
    public_key: bytes
    signature: bytes


class BundleOneTimePrekey(Struct, frozen=True):
    """The one-time prekey in a bundle: handed out once, ever."""

    key_id: int
    public_key: bytes


class BundleKemPrekey(Struct, frozen=True):
    """The KEM prekey in a bundle, for PQXDH."""

    key_id: int
    public_key: bytes
    signature: bytes
    last_resort: bool


class Bundle(Struct, frozen=True, kw_only=True):
    """All that a first message to a device needs; `list_version` is that of its user's device list."""

    user_id: str
    device_id: str
    identity_key: bytes
    signed_prekey: BundleSignedPrekey
    one_time_prekey: BundleOneTimePrekey | None
    kem_prekey: BundleKemPrekey | None
    list_version: int | None
