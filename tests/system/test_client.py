"""People talk through `messenger.client` on the real system: devices, groups, files, a server that dies."""

import asyncio
import json
import secrets
import sys
from pathlib import Path

import pytest

from messenger.client import (
    Client,
    ConversationEnded,
    ConversationUpdated,
    DeviceWaiting,
    MembershipChanged,
    MessageDeleted,
    MessageReceived,
    NoDevices,
    Passphrase,
    ProfileLocked,
    ReceiptReceived,
    SendingFailed,
    ServerWarning,
    SessionEnded,
    TakenOver,
    TypingChanged,
    UnknownUser,
    UsernameTaken,
    WrongCode,
    WrongPassphrase,
    WrongSafetyNumber,
)
from tests.system.people import PASSWORD, Person, Socket, unique
from tests.system.stack import Stack
from tests.system.talkers import QUICK, UNLOCK, Crowd, Talker, crowd

pytestmark = pytest.mark.system


async def warnings(*talkers: Talker) -> list[ServerWarning]:
    """All that was told of a hostile server: in these tests there is none."""
    return [event for one in talkers for event in one.heard if isinstance(event, ServerWarning)]


def test_two_people_with_two_devices_each(one: Stack, tmp_path: Path) -> None:
    async def story(people: Crowd) -> None:
        ann, bob = await asyncio.gather(people.register("ann"), people.register("bob"))
        ann2, bob2 = await asyncio.gather(people.another_device(ann), people.another_device(bob))
        with pytest.raises(WrongCode):
            await ann.client.approve_device("AAAA-BBBB-CCCC-DDDD-EEEE-FFFF")
        to_bob = await ann.client.direct(bob.name)
        sent = await to_bob.send("Hello, Bob!")
        assert (sent.seq, sent.state) == (1, "sent")
        for device in (bob, bob2, ann2):
            told = await device.until_text("Hello, Bob!")
            assert told.message.outgoing == (device is ann2)
            assert told.message.sender == ann.name
        to_ann = await bob2.client.conversation(ann.name)
        assert to_ann.unread == 1
        await to_ann.mark_read()
        read = await ann.until(ReceiptReceived, lambda event: event.kind == "read")
        assert read.seq == 1
        await to_ann.typing()
        await ann.until(TypingChanged)
        await to_ann.send("Hello, Ann!", reply_to=(await to_ann.history())[0].id)
        for device in (ann, ann2, bob):
            answer = (await device.until_text("Hello, Ann!")).message
            history = await (await device.client.conversation(to_bob.id)).history()
            assert answer.reply_to == history[0].id
        numbers = [
            (await device.client.safety_number(peer.name)).digits
            for device, peer in ((ann, bob), (ann2, bob), (bob, ann), (bob2, ann))
        ]
        assert len(set(numbers)) == 1
        with pytest.raises(WrongSafetyNumber):
            await ann.client.set_verified(bob.name, numbers[0][::-1])
        assert not (await to_bob.refresh()).verified
        await ann.client.set_verified(bob.name, numbers[0])
        assert (await to_bob.refresh()).verified
        ann3 = await people.another_device(ann, approved=False)
        await ann3.client.device_code()
        listed = {device.device_id: device.approved for device in await ann.client.devices()}
        assert not listed[ann3.client.device_id]
        await ann.until(DeviceWaiting, lambda event: event.device_id == ann3.client.device_id)
        await ann.client.remove_device(ann2.client.device_id)
        await ann2.until(SessionEnded, lambda event: event.reason == "removed")
        assert ann2.client.state == "removed"
        await to_bob.delete_message(sent)
        await bob.until(MessageDeleted, lambda event: event.seq == 1)
        assert await warnings(ann, bob, bob2) == []
        lines = tmp_path / "export.jsonl"
        assert await bob.client.export(lines) == 2
        texts = [json.loads(line).get("text") for line in lines.read_text().splitlines()]
        assert "Hello, Ann!" in texts

    asyncio.run(run(one, tmp_path, story))


async def run(stack: Stack, folder: Path, story: object) -> None:
    """Play a story among people who are closed in the end."""
    async with crowd(folder, stack.url) as people:
        await story(people)  # type: ignore[operator]


def test_a_group_of_five_with_changes_of_membership(one: Stack, tmp_path: Path) -> None:
    async def story(people: Crowd) -> None:
        names = ("ann", "bob", "cid", "dan", "eve")
        ann, bob, cid, dan, eve = await asyncio.gather(*(people.register(name) for name in names))
        group = await ann.client.create_group("Five", [bob.name, cid.name, dan.name])
        await bob.until(ConversationUpdated, lambda event: event.title == "Five")
        await group.send("one")
        for talker in (bob, cid, dan):
            await talker.until_text("one")
        of_bob = await bob.client.conversation(group.id)
        await of_bob.send("two")
        await group.add(eve.name)
        await eve.until(ConversationUpdated, lambda event: event.title == "Five")
        await of_bob.send("three, and Eve hears it")
        await eve.until_text("three, and Eve hears it")
        assert "one" not in eve.texts()
        await group.remove(cid.name)
        await cid.until(ConversationEnded)
        await dan.until(MembershipChanged, lambda event: event.username == cid.name)
        await (await dan.client.conversation(group.id)).leave()
        await bob.until(MembershipChanged, lambda event: event.change == "left")
        await of_bob.send("four, without Cid and Dan")
        await ann.until_text("four, without Cid and Dan")
        await eve.until_text("four, without Cid and Dan")
        assert cid.texts() == ["one", "two", "three, and Eve hears it"]
        second = await people.another_device(eve)
        await of_bob.send("five")
        await second.until_text("five")
        await group.set_role(bob.name, "admin")
        roles = {member.username: member.role for member in await group.members()}
        assert roles == {ann.name: "owner", bob.name: "admin", eve.name: "member"}
        assert await warnings(ann, bob, cid, dan, eve, second) == []

    asyncio.run(run(one, tmp_path, story))


def test_files_go_both_ways(one: Stack, tmp_path: Path) -> None:
    async def story(people: Crowd) -> None:
        ann, bob = await asyncio.gather(people.register("ann"), people.register("bob"))
        path = tmp_path / "picture.png"
        path.write_bytes(secrets.token_bytes(2_500_000))
        done: list[tuple[int, int]] = []
        to_bob = await ann.client.direct(bob.name)
        sent = await to_bob.send_file(path, text="look", progress=lambda *at: done.append(at))
        assert done[-1] == (2_500_000, 2_500_000)
        assert sent.file is not None
        told = await bob.until(MessageReceived)
        assert told.message.file == sent.file
        assert (told.message.file.name, told.message.file.media_type) == ("picture.png", "image/png")
        folder = tmp_path / "got"
        folder.mkdir()
        got = await bob.client.fetch_file(told.message, folder)
        assert got == folder / "picture.png"
        assert got.read_bytes() == path.read_bytes()
        with pytest.raises(FileExistsError):
            await bob.client.fetch_file(told.message, folder)

    asyncio.run(run(one, tmp_path, story))


def test_profiles_and_refusals(one: Stack, tmp_path: Path) -> None:
    async def story(people: Crowd) -> None:
        ann = await people.register("ann")
        with pytest.raises(UsernameTaken):
            await Client.register(tmp_path / "other", one.url, ann.name, PASSWORD, UNLOCK)
        assert not Client.exists(tmp_path / "other")
        with pytest.raises(ProfileLocked):
            await Client.open(ann.client.profile, UNLOCK)
        bare = Person(one.url)  # registered, and without any keys
        conversation = await ann.client.direct(bare.username)
        with pytest.raises(SendingFailed) as refused:
            await conversation.send("into the void")
        assert refused.value.code == NoDevices.code
        assert (await conversation.history())[-1].state == "failed"
        profile = ann.client.profile
        await ann.client.logout()
        await ann.close()
        with pytest.raises(WrongPassphrase):
            await Client.open(profile, Passphrase("another"))
        again = await Client.login(profile, one.url, ann.name, PASSWORD, UNLOCK, settings=QUICK)
        assert (again.device_id, again.approved) == (ann.client.device_id, True)
        async with again:
            await again.synced(20)
            # A copy of the profile connects as the same device: one of the two is told.
            token = await again.engine.tokens.access()
            heard = asyncio.ensure_future(anext(e async for e in again.events() if isinstance(e, TakenOver)))
            await asyncio.to_thread(lambda: _socket(one.url, token))
            await asyncio.wait_for(heard, 20)
            assert again.state == "taken_over"

    asyncio.run(run(one, tmp_path, story))


def _socket(url: str, token: str) -> None:
    with Socket(url, token):
        pass


def test_the_documented_program_answers(one: Stack, tmp_path: Path) -> None:
    text = Path("docs/client.md").read_text()
    program = tmp_path / "echo.py"
    program.write_text(text.split("```python\n", 1)[1].split("```", 1)[0])

    async def story(people: Crowd) -> None:
        ann = await people.register("ann")
        name = unique("echo")
        arguments = [str(program), str(tmp_path / "echo"), one.url, name, PASSWORD]
        echo = await asyncio.create_subprocess_exec(sys.executable, *arguments)
        try:
            async with asyncio.timeout(30):
                while True:
                    try:
                        await (await ann.client.direct(name)).send("stop")
                        break
                    except (UnknownUser, SendingFailed):
                        await asyncio.sleep(0.2)  # it registers and publishes its keys at its own pace
            await ann.until_text("You said: stop")
            assert await asyncio.wait_for(echo.wait(), 20) == 0
        finally:
            if echo.returncode is None:
                echo.kill()

    asyncio.run(run(one, tmp_path, story))
