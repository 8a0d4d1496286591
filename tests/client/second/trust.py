"""Account keys, device lists and what is told of them; how a password may be derived."""

from dataclasses import dataclass, field
from typing import Any

from tests.client.second.basics import Draw, Given, Refused, holds, ids, raw, sign, signer
from tests.client.second.devices import check_prekeys


def listed_text(user_id: str, version: int, devices: dict[str, bytes]) -> bytes:
    text = b"messenger-device-list-1\0" + ids(user_id) + version.to_bytes(8, "big")
    return text + b"".join(ids(one) + devices[one] for one in sorted(devices))


def devices_of(user_id: str, given: Given) -> dict[str, bytes]:
    """The identity keys of a list, if it holds."""
    devices = {one["device_id"]: raw(one["identity_key"]) for one in given["devices"]}
    fits = len(devices) == len(given["devices"]) <= 10
    fits = (
        fits and len(set(devices.values())) == len(devices) and {len(key) for key in devices.values()} <= {32}
    )
    try:
        text = listed_text(user_id, given["version"], devices)
    except Refused:
        fits, text = False, b""
    if not fits or not holds(raw(given["account_key"]), raw(given["signature"]), text):
        raise Refused("BadDeviceList")
    return devices


@dataclass
class Device:
    """A device that a list has named; `gone` is the version of the first one without it, `gone_on` when."""

    identity_key: bytes
    gone: int | None = None
    gone_on: float | None = None


@dataclass
class Known:
    """What is known of a user."""

    user_id: str
    account_key: bytes | None = None
    verified: bool = False
    refused: bool = False
    refused_key: bytes | None = None
    version: int = 0
    named: int = 0
    devices: dict[str, Device] = field(default_factory=dict)

    def state(self) -> Given:
        current = [one for one, device in self.devices.items() if device.gone is None]
        return {
            "account_key": self.account_key and self.account_key.hex(),
            "verified": self.verified,
            "refused": self.refused,
            "version": self.version,
            "behind": self.version < self.named,
            "devices": [] if self.refused else sorted(current),
        }

    def take(self, account_key: bytes) -> None:
        if account_key != self.account_key:
            self.devices, self.verified, self.version, self.named = {}, False, 0, 0
        self.account_key, self.refused, self.refused_key = account_key, False, None

    def check_accepted(self) -> None:
        if self.refused:
            raise Refused("AccountKeyChanged")

    def writer(self, device_id: str) -> Device:
        self.check_accepted()
        if device_id not in self.devices:
            raise Refused("UnlistedDevice")
        return self.devices[device_id]

    def device(self, device_id: str) -> Device:
        found = self.writer(device_id)
        if found.gone is not None:
            raise Refused("UnlistedDevice")
        return found

    def check_key(self, device_id: str, identity_key: bytes) -> None:
        known = self.devices.get(device_id)
        if known is not None and known.identity_key != identity_key:
            raise Refused("IdentityKeyChanged")

    def learn(self, given: Given | None, items: list[Given], policy: str) -> list[Given]:
        try:
            devices = None if given is None else devices_of(self.user_id, given)
        except Refused as error:
            return [{"event": "ListRefused", "error": error.name, "word": error.word}]
        told = self.learn_key(None if given is None else raw(given["account_key"]), policy)
        if self.refused:
            return told
        if given is not None and devices is not None:
            try:
                self.check_list(given["version"], devices)
                told += self.learn_list(given["version"], devices)
            except Refused as error:
                told.append({"event": "ListRefused", "error": error.name, "word": error.word})
        for one in items:
            try:
                self.check_key(one["device_id"], raw(one["identity_key"]))
                self.device(one["device_id"])
            except Refused as error:
                told.append(
                    {
                        "event": "DeviceRefused",
                        "device_id": one["device_id"],
                        "error": error.name,
                        "word": error.word,
                    }
                )
        order = sorted(self.devices, key=lambda one: self.devices[one].gone is None)
        for device_id in order[: max(0, len(order) - 100)]:
            del self.devices[device_id]
        return told

    def learn_key(self, key: bytes | None, policy: str) -> list[Given]:
        old, was_verified = self.account_key, self.verified
        if key == old:
            self.refused, self.refused_key = False, None
            return []
        if old is None:
            assert key is not None
            self.take(key)
            return [{"event": "AccountKeyPinned", "account_key": key.hex()}]
        if key is None and self.version == 0:
            return []
        accepted = policy == "warn" and key is not None and not was_verified
        told_before = self.refused and self.refused_key == key
        if accepted:
            assert key is not None
            self.take(key)
        else:
            self.refused, self.refused_key = True, key
        event: dict[str, Any] = {"event": "AccountKeyHasChanged", "old": old.hex(), "new": key and key.hex()}
        return (
            []
            if told_before and not accepted
            else [{**event, "was_verified": was_verified, "accepted": accepted}]
        )

    def check_list(self, version: int, devices: dict[str, bytes]) -> None:
        if version < self.version:
            raise Refused("OldDeviceList")
        standing = {one for one, device in self.devices.items() if device.gone is None}
        if version == self.version and standing != devices.keys():
            raise Refused("BadDeviceList")
        for device_id, identity_key in devices.items():
            self.check_key(device_id, identity_key)

    def learn_list(self, version: int, devices: dict[str, bytes]) -> list[Given]:
        told = []
        for device_id, identity_key in devices.items():
            known = self.devices.get(device_id)
            if known is None or known.gone is not None:
                self.devices[device_id] = Device(identity_key)
                told.append({"event": "DeviceAdded", "device_id": device_id})
        for device_id, device in self.devices.items():
            if device.gone is None and device_id not in devices:
                device.gone = version
                told.append({"event": "DeviceRemoved", "device_id": device_id})
        self.version = version
        return told


class Trust:
    """Verbs of accounts and lists."""

    draw: Draw

    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[str, bytes] = {}
        self.known: dict[str, Known] = {}

    def do_account(self, account: str) -> Given:
        self.accounts[account] = self.draw(32)
        return {"account_key": signer(self.accounts[account]).hex()}

    def do_sign_list(self, account: str, user_id: str, version: int, devices: dict[str, str]) -> Given:
        seed, keys = self.accounts[account], {one: raw(key) for one, key in devices.items()}
        named = [{"device_id": one, "identity_key": devices[one]} for one in sorted(devices)]
        signature = sign(seed, listed_text(user_id, version, keys)).hex()
        found = {"account_key": signer(seed).hex(), "version": version}
        return {"list": {**found, "devices": named, "signature": signature}}

    def _known(self, user_id: str) -> Known:
        return self.known.setdefault(user_id, Known(user_id))

    def do_learn(
        self, user_id: str, device_list: Given | None, items: list[Given], policy: str, now: float
    ) -> Given:
        known = self._known(user_id)
        told = known.learn(device_list, items, policy)
        for device in known.devices.values():
            if device.gone is not None and device.gone_on is None:
                device.gone_on = now
        return {"told": told, **known.state()}

    def do_pin(self, user_id: str, account_key: str) -> Given:
        known = self._known(user_id)
        known.take(raw(account_key))
        return known.state()

    do_accept = do_pin

    def do_verify(self, user_id: str, verified: bool) -> Given:
        known = self._known(user_id)
        if verified and (known.account_key is None or known.refused):
            raise Refused("AccountKeyChanged")
        known.verified = verified
        return known.state()

    def do_name_list(self, user_id: str, version: int) -> Given:
        known = self._known(user_id)
        known.named = max(known.named, version)
        return known.state()

    def do_check_bundle(self, user_id: str, bundle: Given) -> Given:
        known = self._known(user_id)
        if bundle["user_id"] != user_id:
            raise Refused("SenderMismatch")
        known.check_accepted()
        known.check_key(bundle["device_id"], raw(bundle["identity_key"]))
        known.device(bundle["device_id"])
        check_prekeys(bundle)
        return {}

    def do_listed(self, user_id: str, device_id: str) -> Given:
        return {"identity_key": self._known(user_id).device(device_id).identity_key.hex()}

    def do_wrote(self, user_id: str, device_id: str, list_version: int, content: bool, now: float) -> Given:
        device = self._known(user_id).writer(device_id)
        if device.gone is not None:
            late = content and list_version < device.gone and now - (device.gone_on or 0) < 86_400
            if not late:
                raise Refused("UnlistedDevice")
        return {}

    def do_judge_kdf(self, kdf: Given | None, known: Given | None, allow_bare: bool) -> Given:
        if kdf is None:
            if known is not None or not allow_bare:
                raise Refused("BareKdf")
            return {"derived": False}
        if kdf["algorithm"] != "argon2id":
            raise Refused("UnknownKdf")
        memory, passes, salt = kdf["memory_kib"], kdf["passes"], raw(kdf["salt"])
        if memory > 1_048_576 or passes > 16 or not 1 <= kdf["lanes"] <= 16 or not 16 <= len(salt) <= 64:
            raise Refused("ExcessiveKdf")
        least = known or {"memory_kib": 0, "passes": 0}
        if memory < max(65_536, least["memory_kib"]) or passes < max(3, least["passes"]):
            raise Refused("WeakKdf")
        return {"derived": True}
