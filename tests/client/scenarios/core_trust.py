"""Account keys, device lists, links, codes, and how a password is derived."""

from typing import Any

import msgspec

from messenger.client.e2e import (
    AccountGrant,
    AccountKey,
    DeviceCode,
    DeviceKeys,
    KnownUser,
    Policy,
    accept_grant,
    contact_link,
    grant,
    match_code,
    read_contact_link,
    safety_number,
)
from messenger.client.e2e.account import own_conversation_id
from messenger.client.e2e.password import Kdf, judge
from messenger.client.engine.naming import reason_of
from messenger.wire.codec import Binary, Uuid
from messenger.wire.keys import DeviceIdentity, DeviceList, Identities, ListedDevice, PendingDevice
from tests.client.scenarios.core_sessions import bundle_of
from tests.client.scenarios.running import Draw

raw = bytes.fromhex
Given = dict[str, Any]


def kdf_of(said: Given | None) -> Kdf | None:
    return None if said is None else Kdf(**{**said, "salt": raw(said["salt"])})


def waiting_of(given: Given) -> PendingDevice:
    return PendingDevice(
        device_id=given["device_id"],
        identity_key=raw(given["identity_key"]),
        device_name=None,
        created_at="",
    )


class Trust:
    """Verbs of accounts."""

    draw: Draw
    devices: dict[str, DeviceKeys]

    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[str, AccountKey] = {}
        self.known: dict[str, KnownUser] = {}
        self.codes: dict[str, DeviceCode] = {}

    def do_account(self, account: str) -> Given:
        made = AccountKey.create(self.draw)
        self.accounts[account] = AccountKey.from_bytes(made.to_bytes())
        return {"account_key": made.public.hex()}

    def do_sign_list(self, account: str, user_id: str, version: int, devices: dict[str, str]) -> Given:
        keys = {one: raw(key) for one, key in devices.items()}
        signed = self.accounts[account].sign_list(user_id, version, keys)
        named = [
            {"device_id": str(one.device_id), "identity_key": bytes(one.identity_key).hex()}
            for one in signed.devices
        ]
        return {
            "list": {
                "account_key": bytes(signed.account_key).hex(),
                "version": signed.version,
                "devices": named,
                "signature": bytes(signed.signature).hex(),
            }
        }

    def _known(self, user_id: str) -> KnownUser:
        found = KnownUser.from_bytes(self.known.get(user_id, KnownUser(user_id)).to_bytes())
        self.known[user_id] = found
        return found

    def _now(self, user_id: str) -> Given:
        known = self.known[user_id]
        return {
            "account_key": known.account_key and known.account_key.hex(),
            "verified": known.verified,
            "refused": known.refused,
            "version": known.list_version,
            "behind": known.behind,
            "devices": sorted(one.device_id for one in known.current_devices()),
        }

    def do_learn(
        self, user_id: str, device_list: Given | None, items: list[Given], policy: str, now: float
    ) -> Given:
        signed = None
        if device_list is not None:
            named = [
                ListedDevice(Uuid(one["device_id"]), Binary(raw(one["identity_key"])))
                for one in device_list["devices"]
            ]
            signed = DeviceList(
                Binary(raw(device_list["account_key"])),
                device_list["version"],
                named,
                Binary(raw(device_list["signature"])),
            )
        said = [
            DeviceIdentity(device_id=one["device_id"], identity_key=raw(one["identity_key"])) for one in items
        ]
        identities = Identities(device_list=signed, items=said)
        known = self._known(user_id)
        events = known.learn(identities, Policy(policy))
        known.stamp_removed(now)
        return {"told": [self._told(one) for one in events], **self._now(user_id)}

    def _told(self, event: Any) -> Given:
        found: Given = {"event": type(event).__name__}
        for name, value in msgspec.structs.asdict(event).items():
            if name == "error":
                found |= {"error": type(value).__name__, "word": reason_of(value)}
            elif name != "user_id":
                found[name] = value.hex() if isinstance(value, bytes) else value
        return found

    def do_pin(self, user_id: str, account_key: str) -> Given:
        self._known(user_id).pin(raw(account_key))
        return self._now(user_id)

    def do_accept(self, user_id: str, account_key: str) -> Given:
        self._known(user_id).accept_account_key(raw(account_key))
        return self._now(user_id)

    def do_verify(self, user_id: str, verified: bool) -> Given:
        self._known(user_id).set_verified(verified)
        return self._now(user_id)

    def do_name_list(self, user_id: str, version: int) -> Given:
        """A payload of the user's bears this list_version."""
        self._known(user_id).name_list(version)
        return self._now(user_id)

    def do_check_bundle(self, user_id: str, bundle: Given) -> Given:
        self._known(user_id).check_bundle(bundle_of(bundle))
        return {}

    def do_listed(self, user_id: str, device_id: str) -> Given:
        return {"identity_key": self._known(user_id).device(device_id).identity_key.hex()}

    def do_wrote(self, user_id: str, device_id: str, list_version: int, content: bool, now: float) -> Given:
        """Whether a message of this device is taken, by the list_version that it bears."""
        known = self._known(user_id)
        known.check_late(known.writer(device_id), list_version, content=content, now=now)
        return {}

    # numbers, links, codes

    def do_safety_number(self, a: Given, b: Given) -> Given:
        first, second = ((one["user_id"], raw(one["account_key"])) for one in (a, b))
        return {"digits": safety_number(*first, *second)}

    def do_own_conversation(self, user_id: str) -> Given:
        return {"client_id": own_conversation_id(user_id)}

    def do_link(self, server: str, username: str, user_id: str, account_key: str) -> Given:
        return {"link": contact_link(server, username, user_id, raw(account_key))}

    def do_read_link(self, link: str, user_id: str, account_key: str) -> Given:
        code = read_contact_link(link)
        return {
            "server": code.server,
            "username": code.username,
            "user_id": code.user_id,
            "fits": code.fits(user_id, raw(account_key)),
        }

    def do_show_code(self, device: str, now: float) -> Given:
        made = DeviceCode.create(self.devices[device], now=now, random=self.draw)
        self.codes[device] = DeviceCode.from_bytes(made.to_bytes())
        return {"code": str(made)}

    def do_match_code(self, code: str, user_id: str, waiting: list[Given]) -> Given:
        return {"device_id": match_code(code, user_id, [waiting_of(one) for one in waiting]).device_id}

    def do_grant(self, account: str, code: str, user_id: str, device: Given) -> Given:
        made = grant(self.accounts[account], code, user_id, waiting_of(device))
        return {"seed": made.seed.hex(), "proof": made.proof.hex()}

    def do_take_grant(self, device: str, seed: str, proof: str, now: float) -> Given:
        body = AccountGrant(seed=raw(seed), proof=raw(proof))
        account = accept_grant(self.codes[device], self.devices[device], body, now)
        return {"account_key": account.public.hex()}

    def do_judge_kdf(self, kdf: Given | None, known: Given | None, allow_bare: bool) -> Given:
        taken = judge(kdf_of(kdf), known=kdf_of(known), allow_bare=allow_bare)
        return {"derived": taken is not None}
