"""What a page asks its worker for, on a real server: groups, people, devices, messages, files.

The worker's host runs in Node; the others are people of the Python client.
"""

from base64 import b64decode
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from messenger.client import ClientError, MessageDeleted, MessageEdited, PresenceChanged, TypingChanged
from messenger.web.client.node import build
from tests.system.people import PASSWORD, unique
from tests.system.stack import Stack
from tests.system.web_scene import NODE, Scene, told

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was built."""
    return build(NODE, tmp_path_factory.mktemp("web") / "out")


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


def test_groups(bundles: Path, one: Stack, tmp_path: Path) -> None:
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

    told(one, tmp_path, story, bundles, quick=True)


def test_people(bundles: Path, one: Stack, tmp_path: Path) -> None:
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

    told(one, tmp_path, story, bundles, quick=True)


def test_devices(bundles: Path, one: Stack, tmp_path: Path) -> None:
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

    told(one, tmp_path, story, bundles, quick=True)


def test_messages(bundles: Path, one: Stack, tmp_path: Path) -> None:
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

    told(one, tmp_path, story, bundles, quick=True)


def test_files(bundles: Path, one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann = await Page(scene, unique("ann")).begin()
        ben = await scene.people.register("ben")
        here = {"conversationId": await ann.call("direct", username=ben.name)}
        picture = (
            b"\x89PNG\r\n\x1a\n" + bytes([0, 0, 0, 13]) + b"IHDR" + bytes([0, 0, 2, 128, 0, 0, 1, 224, 8])
        )
        large = bytes(range(256)) * 4096 * 9
        for name, content in (("view.png", picture), ("large.html", large), ("empty", b"")):
            (tmp_path / name).write_bytes(content)
        sides = {"view.png": (640, 480), "large.html": (0, 0), "empty": (0, 0)}
        for name, expected in sides.items():
            transfer = str(uuid4())
            asked = {
                **here,
                "transfer": transfer,
                "clientId": str(uuid4()),
                "name": name,
                "text": f"see {name}",
            }
            asked["path"] = str(tmp_path / name)
            sent = await ann.call("sendFile", **asked)
            # A leader that died may have done it.
            assert (await ann.call("sendFile", **asked))["id"] == sent["id"]
            assert (sent["width"], sent["height"]) == expected
            progress = await ann.told("transfer_progressed", transfer=transfer)
            assert 0 <= progress["done"] <= progress["all"]
            got = (await ben.until_text(f"see {name}")).message
            there = await ben.client.fetch_file(got, tmp_path / f"got-{name}")
            assert there.read_bytes() == (tmp_path / name).read_bytes()
            fetched = await ann.call("fetchFile", transfer=str(uuid4()), id=sent["id"])
            # Only what is a picture by its bytes has a type that a browser opens.
            assert fetched["type"] == ("image/png" if name == "view.png" else "application/octet-stream")
            assert b64decode(fetched["content"]) == (tmp_path / name).read_bytes()
            asked = {"transfer": str(uuid4()), "id": sent["id"], "most": 10}
            if name != "empty":
                assert await ann.refused("fetchFile", **asked) == "file_too_large"
        talk = await ben.client.direct(ann.name)
        await talk.send_file(tmp_path / "large.html")
        theirs = (await ann.told("message_received", kind="file"))["message"]
        fetched = await ann.call("fetchFile", transfer=str(uuid4()), id=theirs["id"])
        assert b64decode(fetched["content"]) == large
        await ann.call("cancel", transfer=str(uuid4()))
        text = await ann.call("send", **here, clientId=str(uuid4()), text="no file")
        assert await ann.refused("fetchFile", transfer=str(uuid4()), id=text["id"]) == "unknown_message"

    told(one, tmp_path, story, bundles, quick=True)


def test_warnings_and_drafts(bundles: Path, one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann = await Page(scene, unique("ann")).begin()
        ben = await scene.people.register("ben")
        here = {"conversationId": await ann.call("direct", username=ben.name)}
        await ann.call("keepDraft", **here, text="hel")
        assert await ann.call("draft", **here) == "hel"
        assert [one["text"] for one in await ann.call("drafts")] == ["hel"]
        assert await ann.refused("keepDraft", conversationId=str(uuid4()), text="x") == "unknown_conversation"
        await ann.call("send", **here, clientId=str(uuid4()), text="hello")
        await ben.until_text("hello")
        assert await ann.call("draft", **here) == ""
        assert await ann.call("warnings", conversationId=None) == []
        await ann.call("addContact", link=await ben.client.contact_link())
        await ben.client.reset_identity(PASSWORD)
        changed = await ann.call("safetyNumber", username=ben.name)
        await ann.told("warnings_changed")
        (only,) = await ann.call("warnings", **here)
        assert (only["event"], only["username"], only["refuses"]) == ("identity_changed", ben.name, True)
        assert await ann.refused("settle", id=only["id"]) == "still_stands"
        await ann.call("acceptIdentity", username=ben.name, digits=changed["digits"])
        assert await ann.call("warnings", **here) == []

    told(one, tmp_path, story, bundles, quick=True)
