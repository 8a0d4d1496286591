"""Lies to who logs in, and to who approves a device."""

import secrets
from typing import ClassVar

from messenger.client.e2e import AccountGrant, AccountKey
from tests.client.lying.front import Ask
from tests.client.lying.liar import Json, Lie
from tests.client.lying.server import plain
from tests.client.lying.state import Device, Said, Talk


class Kdf(Lie):
    """Another way to derive the password than was agreed."""

    begins = "approve"
    instead: ClassVar[dict[str, int | str] | None] = None

    def answer(self, device: Device, ask: Ask, value: Json) -> Json:
        if ask.path != "/auth/kdf" or value["kdf"] is None:
            return value
        return {"kdf": None if self.instead is None else {**value["kdf"], **self.instead}}


class KdfNull(Kdf):
    """The password itself."""

    met_by = ("KdfRefused:bare_kdf",)


class KdfWeak(Kdf):
    """One pass over little memory."""

    met_by = ("KdfRefused:weak_kdf",)
    instead: ClassVar[dict[str, int | str] | None] = {"memory_kib": 64, "passes": 1}


class KdfExcessive(Kdf):
    """More work than any client has."""

    met_by = ("KdfRefused:excessive_kdf",)
    instead: ClassVar[dict[str, int | str] | None] = {"passes": 1_000}


class KdfUnknown(Kdf):
    """Another algorithm."""

    met_by = ("KdfRefused:unknown_kdf",)
    instead: ClassVar[dict[str, int | str] | None] = {"algorithm": "md5"}


class PendingKeySwapped(Lie):
    """The device that waits is shown with a key of the server's."""

    begins = "approve"
    met_by = ("WrongCode",)

    def answer(self, device: Device, ask: Ask, value: Json) -> Json:
        for one in value.get("pending", ()) if isinstance(value, dict) else ():
            spy = self.adversary.spy(device.user_id, one["device_id"])
            one["identity_key"] = plain(spy.keys.identity_key)
        return value


class PendingDeviceSwapped(Lie):
    """It is shown as another device, one of mallory's."""

    begins = "approve"
    met_by = ("WrongCode",)

    def answer(self, device: Device, ask: Ask, value: Json) -> Json:
        for one in value.get("pending", ()) if isinstance(value, dict) else ():
            one["device_id"] = self.adversary.user("mallory").device_id
        return value


class GrantDiverted(Lie):
    """Once approved, it is said to be mallory's, and a bundle of mallory's is given out for it."""

    begins = "approve"
    met_by = ("AudienceRefused", "KeysRefused")

    def answer(self, device: Device, ask: Ask, value: Json) -> Json:
        mallory = self.adversary.user("mallory")
        found = next((one for one in self.server.state.devices.values() if one.name == "a2"), None)
        if found is None or device is found:
            return value
        if ask.ids and ask.path.endswith("/devices"):
            for one in value["items"]:
                if one["device_id"] == found.device_id:
                    one["user_id"] = mallory.user_id
        if ask.path == "/keys/claim":
            swapped = plain(mallory.bundle())
            for at, one in enumerate(value["items"]):
                if one["device_id"] == found.device_id:
                    value["items"][at] = {**swapped, "device_id": found.device_id, "user_id": one["user_id"]}
        return value


class ForgedGrant(Lie):
    """The device that waits is sent an account key of the server's."""

    begins = "approve"
    met_by = ("MessageRejected",)

    def __init__(self) -> None:
        super().__init__()
        self.said: Said | None = None

    def history(self, device: Device, talk: Talk, found: list[Said]) -> list[Said]:
        alice = self.user("alice")
        own = talk.type == "group" and talk.metadata is None and talk.creator_id == alice.user_id
        if not own or device.name != "a2" or device.signed is None or not device.kem:
            return found
        if self.said is None:
            self.account = AccountKey.create()
            self.spy = self.adversary.spy(alice.user_id)
            body = AccountGrant(seed=self.account.seed, proof=secrets.token_bytes(32))
            self.said = self.spy.write(self.server, [device], talk, body)
            self.said.at = len(talk.messages)
        return [*found[: self.said.at], self.said, *found[self.said.at :]]

    def answer(self, device: Device, ask: Ask, value: Json) -> Json:
        if (
            self.said is None
            or device.name != "a2"
            or ask.path != f"/keys/identity/{self.user('alice').user_id}"
        ):
            return value
        listed = {self.spy.device_id: self.spy.keys.identity_key}
        items = [{"device_id": self.spy.device_id, "identity_key": plain(self.spy.keys.identity_key)}]
        signed = self.account.sign_list(self.spy.user_id, 40, listed)
        return {**value, "device_list": plain(signed), "items": items}


LIES: tuple[type[Lie], ...] = (
    *(KdfNull, KdfWeak, KdfExcessive, KdfUnknown),
    *(PendingKeySwapped, PendingDeviceSwapped, GrantDiverted, ForgedGrant),
)
