"""What a page asks its worker for, on a real server: groups, people, devices, messages.

The worker's host runs in Node; the others are people of the Python client.
"""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from messenger.client import ClientError, MessageDeleted, MessageEdited, PresenceChanged, TypingChanged
from tests.system.people import PASSWORD, unique
from tests.system.stack import Stack
from tests.system.web_scene import Scene, told

pytestmark = pytest.mark.system


class Page:
    """A page with its worker."""

    def __init__(self, scene: Scene, name: str) -> None:
        self._scene = scene
        self.name = name
        self.profile = unique("page")

    async def begin(self, what: str = "register") -> "Page":
        await self._scene.agent.do("page", profile=self.profile, server=self._scene.url)
        await self.call(what, username=self.name, password=PASSWORD)
        await self.connected("online" if what == "register" else "waiting_for_approval")
        return self

    async def call(self, method: str, **asked: Any) -> Any:
        """What the worker answers. ClientError."""
        return await self._scene.agent.do("call", profile=self.profile, method=method, asked=asked or None)

    async def refused(self, method: str, **asked: Any) -> str:
        """The code that a call is refused with."""
        with pytest.raises(ClientError) as refused:
            await self.call(method, **asked)
        return refused.value.code

    async def told(self, event: str, **like: Any) -> Any:
        """The first event like this, of those that were told or will be."""
        return await self._scene.agent.do("told", profile=self.profile, like={"event": event, **like})

    async def connected(self, state: str) -> None:
        await self._scene.agent.do("connected", profile=self.profile, **{"as": state})


def test_groups(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann = await Page(scene, unique("ann")).begin()
        ben, cleo = await scene.people.register("ben"), await scene.people.register("cleo")
        made = {"clientId": str(uuid4()), "title": "Walks", "members": [ben.name]}
        group = await ann.call("newGroup", **made)
        # A leader that died may have made it.
        assert await ann.call("newGroup", **made) == group
        assert [row["title"] for row in await ann.call("conversations")] == ["Walks"]
        here = {"conversationId": group}
        await ann.call("send", **here, clientId=str(uuid4()), text="who walks along?")
        await ben.until_text("who walks along?")
        await ann.call("rename", **here, title="Long walks")
        await ann.call("addMember", **here, username=cleo.name)
        await ann.call("setRole", **here, username=ben.name, role="admin")
        members = {row["username"]: row for row in await ann.call("members", **here)}
        assert {name: row["role"] for name, row in members.items()} == {
            ann.name: "owner",
            ben.name: "admin",
            cleo.name: "member",
        }
        assert all(row["vouched"] and row["listed"] for row in members.values())
        talk = await ben.client.conversation(group)
        assert talk.title == "Long walks"
        await ann.call("removeMember", **here, username=cleo.name)
        assert len(await ann.call("members", **here)) == 2
        assert await ann.refused("addMember", **here, username="nobody-at-all") == "unknown_user"
        assert await ann.refused("leave", **here) == "membership_refused"
        await ann.call("setRole", **here, username=ben.name, role="owner")
        await ann.call("leave", **here)
        row = next(row for row in await ann.call("conversations") if row["conversation_id"] == group)
        assert (row["ended"], row["left"]) == (True, True)

    told(one, tmp_path, story)


def test_people(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann = await Page(scene, unique("ann")).begin()
        ben = await scene.people.register("ben")
        found = await ann.call("person", username=f" {ben.name.upper()} ")
        assert (found["username"], found["known"], found["conversation_id"]) == (ben.name, False, None)
        assert await ann.refused("person", username="nobody-at-all") == "unknown_user"
        talk = await ann.call("direct", username=ben.name)
        number = await ann.call("safetyNumber", username=ben.name)
        assert number["digits"] == (await ben.client.safety_number(ann.name)).digits
        assert (number["verified"], number["link"]) == (False, await ann.call("link"))
        wrong = number["digits"].translate(str.maketrans("0123456789", "1234567890"))
        assert await ann.refused("verify", username=ben.name, proof=wrong) == "wrong_safety_number"
        await ann.call("verify", username=ben.name, proof=number["digits"])
        assert (await ann.call("contacts"))[0]["verified"]
        await ann.call("verify", username=ben.name, proof=None)
        found = await ann.call("person", username=ben.name)
        assert (found["known"], found["verified"], found["conversation_id"]) == (True, False, talk)
        link = await ben.client.contact_link()
        assert (await ann.call("addContact", link=link))["username"] == ben.name
        assert await ann.refused("addContact", link=link.replace("#", "?")) == "bad_link"
        assert (await ben.client.add_contact(number["link"])).username == ann.name
        await ann.call("block", username=ben.name)
        assert [one["username"] for one in await ann.call("blocks")] == [ben.name]
        await ann.call("unblock", username=ben.name)
        assert await ann.call("blocks") == []
        # A verified contact with another account key: nothing goes out until what was seen is accepted.
        await ben.client.reset_identity(PASSWORD)
        changed = await ann.call("safetyNumber", username=ben.name)
        assert (changed["changed"], changed["verified"]) == (True, False)
        assert changed["digits"] != number["digits"]
        before = {"username": ben.name, "digits": number["digits"]}
        assert await ann.refused("acceptIdentity", **before) == "wrong_safety_number"
        assert (await ann.call("contacts"))[0]["changed"]
        await ann.call("acceptIdentity", username=ben.name, digits=changed["digits"])
        assert not (await ann.call("contacts"))[0]["changed"]

    told(one, tmp_path, story)


def test_devices(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        name = unique("ann")
        old = await Page(scene, name).begin()
        new = await Page(scene, name).begin("login")
        code = await new.call("deviceCode")
        assert await old.refused("deviceCode") == "wrong_code"
        assert await new.refused("deviceOf", code=code) == "not_approved"
        found = await old.call("deviceOf", code=code)
        assert set(found) == {"device_id", "device_name", "created_at"}
        assert await old.refused("deviceOf", code=code[:-1]) == "wrong_code"
        asked = {"code": code, "deviceId": str(uuid4())}
        assert await old.refused("approveDevice", **asked) == "not_confirmed"
        assert [one["approved"] for one in await old.call("devices")].count(True) == 1
        await old.call("approveDevice", code=code, deviceId=found["device_id"])
        await new.told("device_approved")
        devices = await old.call("devices")
        assert [one["approved"] for one in devices] == [True, True]
        await old.call("removeDevice", deviceId=found["device_id"])
        await new.connected("removed")
        # A leader that died may have done it.
        await old.call("removeDevice", deviceId=found["device_id"])
        assert len(await old.call("devices")) == 1

    told(one, tmp_path, story)


def test_messages(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann = await Page(scene, unique("ann")).begin()
        ben = await scene.people.register("ben")
        here = {"conversationId": await ann.call("direct", username=ben.name)}
        await ann.call("send", **here, clientId=str(uuid4()), text="a mistake")
        sent = (await ann.told("message_sent", text="a mistake"))["message"]
        assert (await ann.call("edit", id=sent["id"], text="none"))["text"] == "none"
        await ben.until(MessageEdited, lambda event: event.message.text == "none")
        await ann.told("history_changed", conversation_id=here["conversationId"])
        await ann.call("typing", **here, isTyping=True)
        await ben.until(TypingChanged, lambda event: event.is_typing and event.username == ann.name)
        await ann.call("presence", status="away")
        await ben.until(PresenceChanged, lambda event: event.status == "away")
        await ann.call("remove", id=sent["id"])
        await ben.until(MessageDeleted)
        assert await ann.refused("edit", id=sent["id"], text="again") == "not_yours"
        assert await ann.refused("edit", id=sent["id"] + 1_000, text="again") == "unknown_message"
        talk = await ben.client.direct(ann.name)
        theirs = await talk.send("of ben's")
        await ann.told("message_received", text="of ben's")
        own = (await ann.call("history", **here, limit=50))[-1]
        assert (own["text"], own["sender"]) == (theirs.text, ben.name)
        assert await ann.refused("edit", id=own["id"], text="mine") == "not_yours"
        assert await ann.refused("remove", id=own["id"]) == "not_yours"
        # What the server refuses waits for its author, who sends it again or takes it away.
        await ben.client.block(ann.name)
        await ann.call("send", **here, clientId=str(uuid4()), text="may I?")
        failed = (await ann.told("send_failed", text="may I?"))["message"]
        await ann.call("send", **here, clientId=str(uuid4()), text="never mind")
        other = (await ann.told("send_failed", text="never mind"))["message"]
        await ann.call("remove", id=other["id"])
        await ben.client.unblock(ann.name)
        again = {**here, "id": failed["id"], "clientId": str(uuid4())}
        assert (await ann.call("retry", **again))["text"] == "may I?"
        await ben.until_text("may I?")
        # A leader that died may have done it.
        assert (await ann.call("retry", **again))["client_id"] == again["clientId"]
        assert await ann.refused("retry", **{**again, "clientId": str(uuid4())}) == "not_yours"
        shown = [row["text"] for row in await ann.call("history", **here, limit=50)]
        assert (shown.count("may I?"), shown.count("never mind")) == (1, 0)
        assert ben.texts().count("may I?") == 1

    told(one, tmp_path, story)
