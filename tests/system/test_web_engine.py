"""The web client's engine, in Node, talks with the Python client on a real server: direct, in groups, with
files, with several devices, and over restarts."""

import asyncio
from pathlib import Path

import pytest

from messenger.client import (
    DeviceApproved,
    MessageDeleted,
    MessageEdited,
    RosterChanged,
)
from tests.system.people import unique
from tests.system.stack import Stack
from tests.system.web_scene import Scene, shared, text, told, warnings

pytestmark = [pytest.mark.system, pytest.mark.long]


def test_a_direct_talk_both_ways(apart: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        there = await bea.direct(ann.name)
        await there.send("from the browser")
        assert (await ann.until_text("from the browser")).message.sender == name
        here = await ann.client.direct(name)
        assert here.id == there.id
        first = await here.send("from Python")
        await text(bea, "from Python")
        # What is said of a message later, both ways.
        await here.edit_message(first, "from Python, corrected")
        await bea.do("until", event="message_edited", text="from Python, corrected")
        own = await there.send("with a mistake")
        await there.do("edit", message=int(own.id), text="without one")
        await ann.until(MessageEdited, lambda event: event.message.text == "without one")
        await there.do("delete", message=int(own.id))
        await ann.until(MessageDeleted)
        await here.delete_message(first)
        await bea.do("until", event="message_deleted")
        # How long messages are kept.
        await there.do("timer", expires_in=3600)
        kept = await there.send("kept for an hour")
        assert kept.state == "sent"
        assert (await ann.until_text("kept for an hour")).message.text == "kept for an hour"
        numbers = [
            (await ann.client.safety_number(name)).digits,
            (await bea.safety_number(ann.name))["digits"],
        ]
        assert numbers[0] == numbers[1]
        await bea.add_contact(await ann.client.contact_link())
        await ann.client.add_contact(await bea.contact_link())
        # While it was away.
        await bea.close()
        for number in range(5):
            await here.enqueue(f"while away {number}")
        await ann.client.synced(20)
        bea = await scene.begun("open", bea.profile)
        for number in range(5):
            await text(bea, f"while away {number}")
        await bea.do("synced")
        assert [one.text for one in await there.history()] == [
            "from the browser",
            "",
            "",
            "kept for an hour",
            *(f"while away {number}" for number in range(5)),
        ]
        assert await warnings([bea], [ann]) == []

    told(apart, tmp_path, story)


def test_groups_of_both_clients(apart: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, ben = await asyncio.gather(scene.people.register("ann"), scene.people.register("ben"))
        cleo, dora = unique("cleo"), unique("dora")
        web = await scene.web("register", cleo)
        other = await scene.web("register", dora)
        # One that the web client makes, and changes.
        made = await web.create_group("of the browser's", [ann.name, dora])
        await made.send("welcome")
        for talker in (ann,):
            await talker.until_text("welcome")
        await text(other, "welcome")
        group = await ann.client.conversation(made.id)
        assert group.title == "of the browser's"
        await group.send("thank you")
        for device in (web, other):
            await text(device, "thank you")
        await made.do("add_member", username=ben.name)
        await ben.until(RosterChanged, lambda event: event.user_id == ben.client.user_id)
        await made.send("ben is here")
        await ben.until_text("ben is here")
        await made.remove(ann.name)
        await ann.until(RosterChanged, lambda event: event.change == "removed")
        await made.send("without ann")
        await ben.until_text("without ann")
        await text(other, "without ann")
        await ann.client.synced(20)
        assert "without ann" not in ann.texts()
        # One that the Python client makes, and the web client leaves.
        second = await ann.client.create_group("of Python's", [cleo, dora])
        await second.send("hello both")
        for device in (web, other):
            await text(device, "hello both")
        there = await shared(web, second.id)
        assert there.title == "of Python's"
        await there.send("hello ann")
        await ann.until_text("hello ann")
        await second.rename("of ann's")
        await web.do("until", event="conversation_updated")
        await there.do("leave")
        await ann.until(RosterChanged, lambda event: event.change == "left")
        await second.send("without cleo")
        await text(other, "without cleo")
        assert "without cleo" not in [one.text for one in await there.history()]
        assert await warnings([web, other], [ann, ben]) == []

    told(apart, tmp_path, story)


def test_devices_of_both_clients_approve_each_other(apart: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, ben = await asyncio.gather(scene.people.register("ann"), scene.people.register("ben"))
        group = await ann.client.create_group("before", [ben.name])
        # The browser is approved by the Python client ...
        web = await scene.web("login", ann.name)
        assert (await web.do("state"))["approved"] is False
        await ann.client.approve_device(await web.device_code())
        await web.do("until", event="device_approved")
        await (await web.direct(ben.name)).send("from ann's browser")
        assert (await ben.until_text("from ann's browser")).message.sender == ann.name
        assert (await ann.until_text("from ann's browser")).message.outgoing
        await group.send("to both")
        await text(web, "to both")
        there = await shared(web, group.id)
        await there.send("in the group")
        await ben.until_text("in the group")
        # ... and approves the next one.
        third = await scene.people.another_device(ann, approved=False)
        await web.do("approve", code=await third.client.device_code())
        await third.until(DeviceApproved)
        await (await third.client.direct(ben.name)).send("from ann's third")
        await ben.until_text("from ann's third")
        await text(web, "from ann's third")
        # A device that was removed is written to no more.
        await web.remove_device(third.client.device_id)
        await (await ben.client.direct(ann.name)).send("to two of three")
        await text(web, "to two of three")
        await ann.until_text("to two of three")
        assert "to two of three" not in third.texts()
        assert await warnings([web], [ann, ben]) == []

    told(apart, tmp_path, story)


def test_files_both_ways(apart: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        there = await bea.direct(ann.name)
        content = bytes(range(256)) * 20_000  # over 4 MiB: it goes in pieces
        (tmp_path / "picture.bin").write_bytes(content)
        await there.send_file(tmp_path / "picture.bin")
        event = await ann.until_text("")
        assert event.message.file is not None
        assert event.message.file.name == "picture.bin"
        fetched = await ann.client.fetch_file(event.message, tmp_path / "fetched.bin")
        assert fetched.read_bytes() == content
        here = await ann.client.direct(name)
        await here.send_file(tmp_path / "picture.bin", text="back to you")
        await text(bea, "back to you")
        found = next(one for one in await there.history() if one.text == "back to you")
        await bea.fetch_file(found, tmp_path / "again.bin")
        assert (tmp_path / "again.bin").read_bytes() == content
        assert await warnings([bea], [ann]) == []

    told(apart, tmp_path, story)


def test_what_was_written_while_the_server_was_away_goes_by_itself(apart: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        there = await bea.direct(ann.name)
        await there.send("before")
        await ann.until_text("before")
        await asyncio.to_thread(apart.kill, "gateway-1")
        await bea.do("until_state", state="offline")
        for number in range(3):
            assert (await there.enqueue(f"meanwhile {number}")).state == "queued"
        await asyncio.to_thread(apart.restart, "gateway-1")
        await asyncio.to_thread(apart.wait_ready)
        for number in range(3):
            await ann.until_text(f"meanwhile {number}", 60.0)
        await bea.do("synced")
        assert [one.state for one in await there.history()] == ["sent"] * 4
        assert ann.texts() == ["before", *(f"meanwhile {number}" for number in range(3))]
        assert await warnings([bea], [ann]) == []

    told(apart, tmp_path, story)
