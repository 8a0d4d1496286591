"""Lies about keys and device lists."""

import base64
import secrets
from typing import ClassVar

from messenger.client.e2e import AccountKey
from messenger.wire.frames import DeviceFrame
from messenger.wire.keys import DeviceList
from tests.client.lying.adversary import Spy
from tests.client.lying.front import Answer, Ask
from tests.client.lying.liar import Json, Lie
from tests.client.lying.server import plain
from tests.client.lying.state import Device


class OfUser(Lie):
    """Something false about `name`, told to everybody else; who has looked already is made to look again."""

    name_of: ClassVar[str] = "bob"

    def begin(self) -> None:
        super().begin()
        self.user_id = self.user(self.name_of).user_id
        if self.begins != "meet":
            self.nudge()

    def nudge(self) -> None:
        """Have everybody ask for the keys again."""
        device = next(one for one in self.server.state.devices.values() if one.user_id == self.user_id)
        for device_id, wire in list(self.server.wires.items()):
            other = self.server.state.devices[device_id]
            if other.user_id != self.user_id:
                frame = DeviceFrame(event="published", user_id=self.user_id, device_id=device.device_id)
                self.server.say(other, wire, [plain(frame)])

    def answer(self, device: Device, ask: Ask, value: Json) -> Json:
        if device.user_id == self.user_id:
            return value
        if ask.path == f"/keys/identity/{self.user_id}":
            return self.identities(value)
        if ask.path == "/keys/claim":
            asked = ask.body.decode()
            items = [self.bundle(one) if one["user_id"] == self.user_id else one for one in value["items"]]
            return {"items": [*items, *self.more_bundles(asked)]}
        if ask.path.startswith("/conversations/") and ask.path.endswith("/devices"):
            talk = self.server.state.talks[ask.ids[0]]
            if self.user_id in talk.members:
                return {**value, "items": self.devices(value["items"])}
        return value

    def identities(self, value: Json) -> Json:
        """What is told of the user's keys."""
        return value

    def bundle(self, value: Json) -> Json:
        """A bundle of the user's."""
        return value

    def more_bundles(self, asked: str) -> list[Json]:
        """Bundles besides, where their devices are asked for."""
        return []

    def devices(self, items: list[Json]) -> list[Json]:
        """The devices of a conversation that the user is in."""
        return items


class IdentitySwap(OfUser):
    """b1 has an identity key of the server's, and prekeys to it."""

    met_by = ("DeviceRefused:identity_key_changed", "KeysRefused:identity_key_changed")

    def begin(self) -> None:
        self.spy = self.adversary.spy(self.user("bob").user_id, self.device("b1").device_id)
        super().begin()

    def identities(self, value: Json) -> Json:
        for one in value["items"]:
            if one["device_id"] == self.spy.device_id:
                one["identity_key"] = plain(self.spy.keys.identity_key)
        return value

    def bundle(self, value: Json) -> Json:
        if value["device_id"] != self.spy.device_id:
            return value
        return plain(self.spy.bundle(value["list_version"]))


class IdentitySwapLater(IdentitySwap):
    """The same once they have written to each other."""

    begins = "group"


class BundleSwap(IdentitySwap):
    """The same, in bundles only."""

    met_by = ("KeysRefused:identity_key_changed",)

    def identities(self, value: Json) -> Json:
        return value


class AccountSwap(OfUser):
    """An account key of the server's, with its list of one device, which is all that is listed."""

    met_by = ("WrongSafetyNumber",)

    def begin(self) -> None:
        self.account = AccountKey.create()
        self.spy: Spy = self.adversary.spy(self.user(self.name_of).user_id)
        super().begin()

    def _listed(self) -> dict[str, bytes]:
        return {self.spy.device_id: self.spy.keys.identity_key}

    def identities(self, value: Json) -> Json:
        listed = self.account.sign_list(self.user_id, 50, self._listed())
        item = {"device_id": self.spy.device_id, "identity_key": plain(self.spy.keys.identity_key)}
        return {"device_list": plain(listed), "items": [item]}

    def more_bundles(self, asked: str) -> list[Json]:
        return [plain(self.spy.bundle(50))] if self.spy.device_id in asked else []

    def devices(self, items: list[Json]) -> list[Json]:
        kept = [one for one in items if one["user_id"] != self.user_id]
        return [*kept, {"user_id": self.user_id, "device_id": self.spy.device_id}]


class AccountSwapVerified(AccountSwap):
    """The same for somebody who is known and verified."""

    begins = "talk"
    met_by = ("SendFailed:account_key_changed", "IdentityChanged")


class AccountSwapUnverified(AccountSwap):
    """The same for somebody who is known, and not verified."""

    begins = "talk"
    met_by = ("IdentityChanged",)
    name_of = "carol"


class ListNone(OfUser):
    """The list is taken away."""

    begins = "talk"
    met_by = ("IdentityChanged",)

    def identities(self, value: Json) -> Json:
        return {**value, "device_list": None}


class ListOlder(OfUser):
    """A list from before, which the user has signed himself."""

    begins = "talk"
    met_by = ("KeysRefused:old_device_list",)

    def identities(self, value: Json) -> Json:
        return {"device_list": plain(self._older()), "items": value["items"][:1]}

    def _older(self) -> DeviceList:
        return self.server.state.users[self.user_id].old_lists[0]


class ListHeldBack(OfUser):
    """What bob signs from now on is kept from everybody else: the device that he removes seems to stay."""

    begins = "remove_device"
    met_by = ("KeysRefused:old_device_list", "MessageRejected:old_device_list")

    def begin(self) -> None:
        self.kept = self.server.state.users[self.user("bob").user_id].device_list
        self.lost = self.device("b2")
        super().begin()

    def nudge(self) -> None:
        """Nobody is told."""

    def request(self, device: Device, ask: Ask) -> Answer | None:
        return Answer(204) if ask.method == "DELETE" and ask.path.startswith("/auth/devices/") else None

    def identities(self, value: Json) -> Json:
        assert self.kept is not None
        items = [
            {"device_id": str(one.device_id), "identity_key": plain(one.identity_key)}
            for one in self.kept.devices
        ]
        return {"device_list": plain(self.kept), "items": items}

    def devices(self, items: list[Json]) -> list[Json]:
        lost = {"user_id": self.user_id, "device_id": self.lost.device_id}
        return items if lost in items else [*items, lost]


class ListSpoiled(OfUser):
    """A list that the user has not signed so."""

    begins = "talk"
    met_by = ("KeysRefused:bad_device_list",)

    def identities(self, value: Json) -> Json:
        listed = value["device_list"]
        devices = self.spoil(list(listed["devices"]))
        return {**value, "device_list": {**listed, "version": listed["version"] + 1, "devices": devices}}

    def spoil(self, devices: list[Json]) -> list[Json]:
        """Other devices than were signed."""
        raise NotImplementedError


class ListLonger(ListSpoiled):
    """With a device of the server's."""

    def begin(self) -> None:
        self.spy = self.adversary.spy(self.user("bob").user_id)
        super().begin()

    def spoil(self, devices: list[Json]) -> list[Json]:
        key = plain(self.spy.keys.identity_key)
        return [*devices, {"device_id": self.spy.device_id, "identity_key": key}]

    def more_bundles(self, asked: str) -> list[Json]:
        return [plain(self.spy.bundle(9))] if self.spy.device_id in asked else []

    def devices(self, items: list[Json]) -> list[Json]:
        return [*items, {"user_id": self.user_id, "device_id": self.spy.device_id}]


class ListShorter(ListSpoiled):
    """Without one of his."""

    def spoil(self, devices: list[Json]) -> list[Json]:
        return devices[:1]


class ListForged(ListLonger):
    """Longer, and signed with the server's own key in the place of his."""

    def identities(self, value: Json) -> Json:
        found = super().identities(value)
        found["device_list"]["signature"] = base64.b64encode(secrets.token_bytes(64)).decode()
        return found


class ExtraDevice(ListLonger):
    """A device that no list names."""

    begins = "direct"
    met_by = ("DeviceRefused:unlisted_device",)

    def identities(self, value: Json) -> Json:
        extra = {"device_id": self.spy.device_id, "identity_key": plain(self.spy.keys.identity_key)}
        return {**value, "items": [*value["items"], extra]}


LIES: tuple[type[Lie], ...] = (
    *(IdentitySwap, IdentitySwapLater, BundleSwap, AccountSwap, AccountSwapVerified, AccountSwapUnverified),
    *(ListNone, ListOlder, ListHeldBack, ListLonger, ListShorter, ListForged, ExtraDevice),
)
