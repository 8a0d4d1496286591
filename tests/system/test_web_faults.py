"""What goes wrong around the web client's engine, on a real server: a gateway that dies midway, a store
that is damaged or full, a clock that jumps. It is told, and nothing is lost.

Frames of nonsense are in `test_web_hostile.py`; tabs, workers and browsers die in `test_web_tabs.py`.
"""

import asyncio
import secrets
from pathlib import Path
from typing import Any

import pytest

from messenger.client import ClientError
from tests.system.hostile import hostile_server
from tests.system.people import PASSWORD, unique
from tests.system.stack import Stack
from tests.system.web_scene import Scene, holds, refused, shared, text, texts, told, warnings

pytestmark = [pytest.mark.system, pytest.mark.long]

MIB = 1 << 20
DAY = 86_400_000.0
TABLES = (
    *("account", "states", "people", "conversations", "members", "places", "messages"),
    *("outbox", "answered", "doubted", "journal"),
)
# Names, keys and numbers that are in doubt stop the client, by name; everything else is left out, and told.
STOPS = ("account", "states", "people")


async def back(stack: Stack) -> None:
    """The gateway, which was killed, is there again."""
    await asyncio.to_thread(stack.restart, "gateway-1")
    await asyncio.to_thread(stack.wait_ready)


def test_a_gateway_that_dies_in_the_middle_of_an_upload(apart: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        there = await bea.direct(ann.name)
        large, small = tmp_path / "large.bin", tmp_path / "small.bin"
        large.write_bytes(secrets.token_bytes(40 * MIB))
        small.write_bytes(secrets.token_bytes(1_000))
        sending = asyncio.ensure_future(there.send_file(large, 120.0))
        await bea.do("until_sent", bytes=8 * MIB)
        await asyncio.to_thread(apart.kill, "gateway-1")
        await bea.do("until_state", state="offline")
        # One that goes in one piece is refused, and may be sent again.
        error = await refused(there.send_file(small), "error")
        assert type(error).__name__ == "ServerUnreachable"
        await back(apart)
        await sending
        await there.send_file(small)
        for path in (large, small):
            event = await ann.until_text("", 60.0)
            ann.heard.remove(event)
            got = await ann.client.fetch_file(event.message, tmp_path / f"got-{path.name}")
            assert got.read_bytes() == path.read_bytes()
        await bea.do("synced")
        assert [one.state for one in await there.history()] == ["sent", "sent"]
        assert await warnings([bea], [ann]) == []

    told(apart, tmp_path, story)


@pytest.mark.parametrize("arrives", [False, True], ids=["before", "after"])
def test_a_gateway_that_dies_in_the_middle_of_a_registration(
    apart: Stack, tmp_path: Path, arrives: bool
) -> None:
    """With the request, or with the answer to what was done."""

    async def story(scene: Scene) -> None:
        async with hostile_server(apart.url) as between:

            def die(method: str, path: str) -> None:
                if (method, path) == ("POST", "/auth/register"):
                    apart.kill("gateway-1")
                    raise ConnectionResetError("it is dead")

            if arrives:
                between.done = die
            else:
                await asyncio.to_thread(apart.kill, "gateway-1")
            name, profile = unique("bea"), unique("web")
            given = {"server": between.url, "username": name}
            error = await refused(scene.begun("register", profile, **given), "error")
            assert type(error).__name__ == "ServerUnreachable"
            await refused(scene.begun("open", profile), "no_profile")
            between.done = lambda _method, _path: None
            await back(apart)
            if arrives:
                await refused(scene.begun("register", profile, **given), "username_taken")
                bea = await scene.begun("login", profile, **given)
            else:
                bea = await scene.begun("register", profile, **given)
            await bea.do("synced")
            talker = await scene.people.register("ann")
            await (await talker.client.direct(name)).send("you are there after all")
            await text(bea, "you are there after all")
            assert await warnings([bea], [talker]) == []

    told(apart, tmp_path, story)


def test_a_gateway_that_dies_with_each_step_of_publishing(apart: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann = await scene.people.register("ann")
        async with hostile_server(apart.url) as between:
            for step in ("identity", "one-time-prekeys", "kem-prekeys", "device-list", "signed-prekey"):
                died = asyncio.Event()
                loop = asyncio.get_running_loop()

                def die(method: str, path: str, step: str = step, died: asyncio.Event = died) -> None:
                    if method != "GET" and path == f"/keys/{step}" and not died.is_set():
                        apart.kill("gateway-1")
                        loop.call_soon_threadsafe(died.set)
                        raise ConnectionResetError("it is dead")

                between.done = die
                name = unique("bea")
                bea = await scene.begun("register", unique("web"), server=between.url, username=name)
                await asyncio.wait_for(died.wait(), 30)
                await back(apart)
                await bea.do("synced", within=60_000)
                await (await ann.client.direct(name)).send(f"after {step}")
                await text(bea, f"after {step}")
                assert await warnings([bea], [ann]) == []
                await bea.close()

    told(apart, tmp_path, story)


def test_a_store_that_is_damaged(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann = await scene.people.register("ann")
        stopped = []
        for table in TABLES:
            name = unique("bea")
            bea = await scene.web("register", name)
            there, here = await bea.direct(ann.name), await ann.client.direct(name)
            await there.send("before")
            await here.send("before, too")
            await text(bea, "before, too")
            await bea.close()
            rows = await scene.agent.do("spoil", profile=bea.profile, table=table)
            try:
                again = await scene.begun("open", bea.profile)
                await here.send(f"after {table}")
                heard = asyncio.ensure_future(text(again, f"after {table}"))
                while not heard.done():
                    await again.do("synced")  # or it says why not
                    await asyncio.wait([heard], timeout=0.1)
                await (await again.direct(ann.name)).send(f"from after {table}")
                await ann.until_text(f"from after {table}")
            except ClientError as error:
                stopped.append((table, error.code))
                continue
            if rows > 0 and table in ("messages", "journal"):
                assert (await again.do("until", event="store_damaged"))["table"] == table
            await again.close()
        assert stopped == [(table, "damaged_record") for table in STOPS]
        assert await warnings([], [ann]) == []

    told(one, tmp_path, story)


def test_a_disk_that_is_full(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        there, here = await bea.direct(ann.name), await ann.client.direct(name)
        await there.send("before")
        await ann.until_text("before")
        await bea.do("disk", full=True)
        await refused(there.enqueue("no room for this"), "store_full")
        await here.send("while it is full")

        async def stopped() -> bool:
            return bool((await bea.do("state"))["state"] == "offline")

        await holds(stopped)
        await refused(bea.do("synced"), "store_full")
        await bea.do("disk", full=False)
        again = await scene.reopened(bea)
        await text(again, "while it is full")
        await (await shared(again, there.id)).send("after")
        await ann.until_text("after")
        assert await texts(there) == ["before", "while it is full", "after"]
        assert ann.texts() == ["before", "after"]
        assert await warnings([again], [ann]) == []

    told(one, tmp_path, story)


@pytest.mark.parametrize("days", [400.0, -400.0], ids=["forwards", "back"])
def test_a_clock_that_jumps(one: Stack, tmp_path: Path, days: float) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        there, here = await bea.direct(ann.name), await ann.client.direct(name)

        async def both_ways(device: Any, said: str) -> None:
            await (await shared(device, there.id)).send(f"bea, {said}")
            await ann.until_text(f"bea, {said}")
            await here.send(f"ann, {said}")
            await text(device, f"ann, {said}")

        await both_ways(bea, "before")
        for said, ahead in (("it jumps", days * DAY), ("it is set right", 0.0)):
            await scene.agent.do("clock", ahead=ahead)
            await both_ways(bea, said)
            bea = await scene.reopened(bea)
            await both_ways(bea, f"{said}, after a restart")
            # A device that is new by this clock is let in all the same.
            other = await scene.web("login", name)
            await bea.do("approve", code=await other.device_code(), name="web")
            await other.do("until", event="device_approved")
            await other.do("synced")
            await here.send(f"to both, {said}")
            for device in (bea, other):
                await text(device, f"to both, {said}")
            await other.close()
        jumps = ("it jumps", "it jumps, after a restart")
        right = ("it is set right", "it is set right, after a restart")
        expected = [f"{who}, {said}" for said in ("before", *jumps, *right) for who in ("bea", "ann")]
        found = [one for one in await texts(await shared(bea, there.id)) if not one.startswith("to both")]
        assert found == expected
        assert await warnings([bea], [ann]) == []

    told(one, tmp_path, story)


def test_what_waits_is_there_after_a_restart_without_a_server(apart: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        there = await bea.direct(ann.name)
        await there.send("before")
        await asyncio.to_thread(apart.kill, "gateway-1")
        await bea.do("until_state", state="offline")
        await there.enqueue("written without a server")
        await bea.close()
        again = await scene.begun("open", bea.profile)
        assert [one.state for one in await (await shared(again, there.id)).history()] == ["sent", "queued"]
        with pytest.raises(ClientError):
            await scene.begun("register", unique("web"), username=unique("cid"), password=PASSWORD)
        await back(apart)
        await ann.until_text("written without a server", 60.0)
        await again.do("synced")
        assert ann.texts() == ["before", "written without a server"]
        assert await warnings([again], [ann]) == []

    told(apart, tmp_path, story)
