"""Lies about who people are, and who is where."""

import json

from tests.client.lying.calls_talks import join, leave, new_talk
from tests.client.lying.front import Answer, Ask
from tests.client.lying.liar import Json, Lie
from tests.client.lying.state import Device, Said, Talk


class Listed(Lie):
    """Mallory is listed in a conversation: `where` says in which."""

    def begin(self) -> None:
        super().begin()
        self.mallory = self.adversary.user("mallory")

    def where(self, talk: Talk) -> bool:
        """Whether it is listed there."""
        raise NotImplementedError

    def answer(self, device: Device, ask: Ask, value: Json) -> Json:
        talk = self.server.state.talks.get(ask.ids[0]) if ask.ids else None
        if talk is None or not self.where(talk):
            return value
        if ask.path.endswith("/members"):
            extra = {**value["items"][0], "user_id": self.mallory.user_id, "role": "member"}
            return {**value, "items": [*value["items"], extra]}
        if ask.path.endswith("/devices"):
            extra = {"user_id": self.mallory.user_id, "device_id": self.mallory.device_id}
            return {**value, "items": [*value["items"], extra]}
        return value


class ThirdInDirect(Listed):
    """A third member in a direct conversation, from its making on."""

    met_by = ("AudienceRefused:not_in_audience", "AudienceRefused:members")

    def where(self, talk: Talk) -> bool:
        return self.is_direct(talk, "alice", "bob")


class ThirdInDirectLater(ThirdInDirect):
    """The same in one that stands."""

    begins = "talk"


class ExtraInGroup(Lie):
    """The server adds a member, in the owner's name."""

    begins = "talk"
    met_by = ("AudienceRefused",)

    def begin(self) -> None:
        super().begin()
        group = self.group()
        mallory = self.adversary.user("mallory")
        if group is not None:
            self.told = True
            join(self.server, group, group.creator_id, mallory.user_id, "member")


class ExtraInGroupUnsaid(Listed):
    """The same, without a change that tells of it."""

    begins = "talk"
    met_by = ("AudienceRefused",)

    def where(self, talk: Talk) -> bool:
        return talk is self.group()


class DirectAsGroup(Lie):
    """A direct conversation is called a group."""

    met_by = ("ContactConflict", "AudienceRefused")

    def answer(self, device: Device, ask: Ask, value: Json) -> Json:
        items = value["items"] if ask.path == "/conversations" and ask.method == "GET" else [value]
        for one in items:
            if isinstance(one, dict) and one.get("type") == "direct":
                one["type"] = "group"
        return value


class GroupAsDirect(Lie):
    """A group is called a direct conversation."""

    begins = "group"
    met_by = ("UnknownConversation", "AudienceRefused")

    def answer(self, device: Device, ask: Ask, value: Json) -> Json:
        items = value["items"] if ask.path == "/conversations" and ask.method == "GET" else [value]
        for one in items:
            if isinstance(one, dict) and one.get("type") == "group" and one["metadata"] is not None:
                one["type"] = "direct"
        return value


class OtherPeer(Lie):
    """Who asks for bob is given the conversation with mallory."""

    met_by = ("ContactConflict", "AudienceRefused")

    def request(self, device: Device, ask: Ask) -> Answer | None:
        if (ask.method, ask.path) == ("POST", "/conversations"):
            said = json.loads(ask.body)
            if said["type"] == "direct" and said["members"] == [self.user("bob").user_id]:
                said["members"] = [self.adversary.user("mallory").user_id]
                ask.body = json.dumps(said).encode()
        return None


class SecondDirect(Lie):
    """Bob is shown a second direct conversation with alice, with what she writes in the first."""

    begins = "talk"
    met_by = ("AudienceRefused:second_direct",)

    def begin(self) -> None:
        super().begin()
        alice, bob = self.user("alice"), self.user("bob")
        self.second = new_talk(self.server, alice.user_id, "direct", [bob.user_id])
        self.written: list[Said] = []

    def history(self, device: Device, talk: Talk, found: list[Said]) -> list[Said]:
        return list(self.written) if talk is self.second else found

    def committed(self, device: Device, talk: Talk, said: Said) -> None:
        if self.is_direct(talk, "alice", "bob") and talk is not self.second:
            self.written.append(said)


class Roles(Lie):
    """Carol is said to be the owner, and bob an admin."""

    may_warn = True
    begins = "talk"

    def answer(self, device: Device, ask: Ask, value: Json) -> Json:
        group = self.group()
        if group is not None and ask.path == f"/conversations/{group.conversation_id}/members":
            roles = {self.user("carol").user_id: "owner", self.user("bob").user_id: "admin"}
            for one in value["items"]:
                one["role"] = roles.get(one["user_id"], "member")
        return value


class UserOfDevice(Lie):
    """A device of mallory's is said to be bob's."""

    met_by = ("AudienceRefused:unlisted_device",)

    def answer(self, device: Device, ask: Ask, value: Json) -> Json:
        talk = self.server.state.talks.get(ask.ids[0]) if ask.ids else None
        if talk is not None and ask.path.endswith("/devices") and self.user("bob").user_id in talk.members:
            extra = {
                "user_id": self.user("bob").user_id,
                "device_id": self.adversary.user("mallory").device_id,
            }
            return {**value, "items": [*value["items"], extra]}
        return value


class DeviceOfAnother(Lie):
    """A device of bob's is said to be mallory's."""

    begins = "direct"
    met_by = ("AudienceRefused",)

    def answer(self, device: Device, ask: Ask, value: Json) -> Json:
        if ask.ids and ask.path.endswith("/devices") and ask.path.startswith("/conversations"):
            for one in value["items"]:
                if one["device_id"] == self.device("b2").device_id and device.name != "b2":
                    one["user_id"] = self.adversary.user("mallory").user_id
        return value


class SwapBob(Lie):
    """Who asks for bob's name is given mallory."""

    met_by = ("ContactConflict",)

    def answer(self, device: Device, ask: Ask, value: Json) -> Json:
        if ask.path == "/users" and ask.query["username"] == "bob":
            mallory = self.adversary.user("mallory")
            return {"items": [{**one, "user_id": mallory.user_id} for one in value["items"]]}
        return value


class SwapBobLater(SwapBob):
    """The same, once he is known."""

    begins = "more"
    met_by = ("ContactRefused:another_user",)


class SameName(Lie):
    """Two users are said to have one name."""

    met_by = ("ContactRefused",)

    def answer(self, device: Device, ask: Ask, value: Json) -> Json:
        if ask.path == "/users/lookup":
            for one in value["items"]:
                one["username"] = "bob" if one["username"] == "alice" else one["username"]
        return value


class MemberStays(Lie):
    """Carol is not removed from the group, though the server says so."""

    may_warn = True

    def request(self, device: Device, ask: Ask) -> Answer | None:
        if ask.method == "DELETE" and "/members/" in ask.path:
            return Answer(204)
        return None


class MemberTakenOut(Lie):
    """Bob is taken out of the group, in the owner's name."""

    begins = "talk"
    met_by = ("MembershipChanged",)

    def begin(self) -> None:
        super().begin()
        group, bob = self.group(), self.user("bob")
        if group is not None and bob.user_id in group.members:
            self.told = True
            leave(self.server, group, group.creator_id, bob.user_id)


class DeviceStays(Lie):
    """Bob's lost device keeps its session."""

    may_warn = True

    def request(self, device: Device, ask: Ask) -> Answer | None:
        if ask.method == "DELETE" and ask.path.startswith("/auth/devices/"):
            return Answer(204)
        return None


LIES: tuple[type[Lie], ...] = (
    *(ThirdInDirect, ThirdInDirectLater, ExtraInGroup, ExtraInGroupUnsaid, DirectAsGroup, GroupAsDirect),
    *(OtherPeer, SecondDirect, Roles, UserOfDevice, DeviceOfAnother, SwapBob, SwapBobLater, SameName),
    *(MemberStays, MemberTakenOut, DeviceStays),
)
