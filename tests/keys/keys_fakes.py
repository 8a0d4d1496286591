"""Keys on a store in memory, and devices that make them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from messenger.core.identity import Identity
from messenger.core.ids import new_id
from messenger.keys.domain import Keys, certified_bytes
from messenger.keys.ports import Asking, Change, Claimed, DeviceKeys, Outgoing
from messenger.wire.codec import Binary
from messenger.wire.events import DeviceChanged, PrekeysLow
from messenger.wire.keys import (
    Bundle,
    BundleOneTimePrekey,
    BundleSignedPrekey,
    Certificate,
    DeviceIdentity,
    Identities,
    IdentityKey,
    KemPrekey,
    OneTimePrekey,
    OneTimePrekeys,
    SignedPrekey,
)
from tests.fakes import Told, outgoing, run

_outgoing = partial(outgoing, Outgoing)


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

    def certificate(self, account: Ed25519PrivateKey) -> Certificate:
        key = self.identity.public_key().public_bytes_raw()
        return Certificate(Binary(account.sign(certified_bytes(self.who.user_id, self.who.device_id, key))))


def x25519_key() -> bytes:
    return X25519PrivateKey.generate().public_key().public_bytes_raw()


class MemoryStore:
    """The Store of messenger/keys/ports.py; claims per hour are not counted here, but `spent` can say so."""

    def __init__(self) -> None:
        self.keys: dict[str, DeviceKeys] = {}
        self.signed: dict[str, SignedPrekey] = {}
        self.one_time: dict[str, list[OneTimePrekey]] = {}
        self.last_resort: dict[str, KemPrekey] = {}
        self.accounts: dict[str, bytes] = {}
        self.live: set[str] = set()
        self.spent: int | None = None

    async def device(self, device_id: str) -> DeviceKeys | None:
        found = self.keys.get(device_id)
        left = len(self.one_time.get(device_id, []))
        return found and replace(found, account_key=self.accounts.get(found.user_id), one_time_prekeys=left)

    async def alter(
        self, user_id: str, device_id: str, rule: Callable[[DeviceKeys], Change]
    ) -> list[Outgoing] | None:
        if device_id not in self.live:
            return None
        found = await self.device(device_id) or DeviceKeys(
            user_id=user_id, device_id=device_id, account_key=self.accounts.get(user_id)
        )
        if found.user_id != user_id:
            return None
        change = rule(found)
        if change.signed_prekey:
            self.signed[device_id] = change.signed_prekey
        if change.last_resort:
            self.last_resort[device_id] = change.last_resort
        self.one_time.setdefault(device_id, []).extend(change.one_time)
        kem = [*change.kem, *([change.last_resort] if change.last_resort else [])]
        self.keys[device_id] = replace(
            found,
            identity_key=change.identity_key or found.identity_key,
            signed_prekey_id=change.signed_prekey.key_id if change.signed_prekey else found.signed_prekey_id,
            certificate=change.certificate or found.certificate,
            one_time_prekeys=found.one_time_prekeys + len(change.one_time),
            kem_prekeys=found.kem_prekeys + len(change.kem),
            highest_one_time_id=max(
                (one.key_id for one in change.one_time), default=found.highest_one_time_id
            ),
            highest_kem_id=max((one.key_id for one in kem), default=found.highest_kem_id),
        )
        if not change.publishes:
            return []
        return _outgoing([DeviceChanged(event="published", user_id=user_id, device_id=device_id)])

    async def set_account_key(
        self, user_id: str, account_key: bytes, rule: Callable[[bytes], None]
    ) -> list[Outgoing]:
        standing = self.accounts.get(user_id)
        if standing == account_key:
            return []
        if standing is not None:
            rule(standing)
        self.accounts[user_id] = account_key
        for device_id, device in self.keys.items():
            if device.user_id == user_id:
                self.keys[device_id] = replace(device, certificate=None)
        return []

    async def identities(self, user_id: str) -> Identities | None:
        if not await self.user_exists(user_id):
            return None
        items = [
            DeviceIdentity(device_id=key, identity_key=one.identity_key, certificate=one.certificate)
            for key in self.keys
            if (one := await self.device(key)) and one.user_id == user_id and one.published
        ]
        return Identities(account_key=self.accounts.get(user_id), items=items)

    async def pending(self, user_id: str) -> list[DeviceIdentity]:
        return [
            DeviceIdentity(device_id=key, identity_key=one.identity_key, certificate=None)
            for key in self.keys
            if (one := await self.device(key))
            and one.user_id == user_id
            and one.identity_key
            and not one.published
        ]

    async def user_exists(self, user_id: str) -> bool:
        return any(one.user_id == user_id for one in self.keys.values())

    async def claim(self, asking: Asking) -> Claimed:
        if self.spent is not None:
            return Claimed([], self.spent)
        bundles, events = [], []
        for device_id in list(self.keys):
            one = await self.device(device_id)
            assert one is not None
            if device_id == asking.asker_device_id or not one.published:
                continue
            if one.user_id != asking.user_id and device_id not in asking.device_ids:
                continue
            left = self.one_time[device_id]
            taken = left.pop(0) if left else None
            if len(left) < asking.low:
                events.append(PrekeysLow(device_id=device_id, one_time_prekeys=len(left)))
            signed = self.signed[device_id]
            bundles.append(
                Bundle(
                    user_id=one.user_id,
                    device_id=device_id,
                    identity_key=one.identity_key or b"",
                    signed_prekey=BundleSignedPrekey(
                        signed.key_id, bytes(signed.public_key), bytes(signed.signature)
                    ),
                    one_time_prekey=taken and BundleOneTimePrekey(taken.key_id, bytes(taken.public_key)),
                    kem_prekey=None,
                    account_key=one.account_key,
                    certificate=one.certificate,
                )
            )
        return Claimed(bundles, None, _outgoing(events))

    async def forget_devices(self, device_ids: Sequence[str]) -> None:
        for device_id in device_ids:
            self.keys.pop(device_id, None)

    async def forget_user(self, user_id: str) -> None:
        self.accounts.pop(user_id, None)
        await self.forget_devices([key for key, one in self.keys.items() if one.user_id == user_id])

    async def forget_deleted(self) -> bool:
        return False

    async def sweep(self) -> None:
        """Nothing is left behind here."""

    async def sweep_claims(self) -> None:
        """Nothing is counted here."""


class House:
    """Keys and all that they stand on; `now` is in seconds since 1970."""

    def __init__(self, stored: int = 200) -> None:
        self.store = MemoryStore()
        self.told = Told()
        self.now = 1_100.0
        self.keys = Keys(
            self.store,
            stored=stored,
            low=3,
            by_asker=20,
            of_device=100,
            tell=self.told,
            clock=lambda: self.now,
        )

    def device(self, user_id: str | None = None) -> Device:
        """A device that auth knows and that has published nothing."""
        device = Device(user_id)
        self.store.live.add(device.who.device_id)
        return device

    def published(self, user_id: str | None = None, one_time: int = 0) -> Device:
        """A device with an identity key and a signed prekey."""
        device = self.device(user_id)
        run(self.keys.set_identity(device.who, device.identity_body()))
        run(self.keys.set_signed_prekey(device.who, device.signed(0)))
        if one_time:
            run(self.keys.add_one_time_prekeys(device.who, device.one_time(one_time)))
        self.told.clear()
        return device
