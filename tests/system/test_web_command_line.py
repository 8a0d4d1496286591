"""A browser and the command line of the same person: each approves the other, and removes it."""

import asyncio
from pathlib import Path

import pytest

from tests.system.people import PASSWORD, unique
from tests.system.stack import Stack
from tests.system.test_command_line import User
from tests.system.web_scene import Scene, refused, shared, text, texts, told, warnings

pytestmark = [pytest.mark.system, pytest.mark.long]


def user(stack: Stack, folder: Path, name: str) -> User:
    """Somebody at a shell, under the password of all stories."""
    return User(stack.url, folder, name, PASSWORD)


def test_the_command_line_approves_a_browser_and_removes_it(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        shell, ben = user(one, tmp_path, "ann"), await scene.people.register("ben")

        async def run(*arguments: str, status: int = 0) -> str:
            return await asyncio.to_thread(lambda: shell.run(*arguments, status=status))

        await run("register", shell.name)
        await run("group", "create", "Plans", ben.name)
        browser = await scene.web("login", shell.name)
        await refused(browser.create_group("none", [ben.name]), "not_approved")
        assert "code" in await run("devices", "approve", "AAAA-BBBB-CCCC-DDDD-EEEE-FFFF", "--yes", status=1)
        await run("devices", "approve", await browser.device_code(), "--yes")
        await browser.do("until", event="device_approved")
        await browser.do("until", event="conversation_updated")
        await browser.do("until", event="roster_changed")
        [plans] = [talk for talk in await browser.conversations() if talk.title == "Plans"]
        await plans.send("from the browser")
        assert (await ben.until_text("from the browser")).message.sender == shell.name
        await run("send", "Plans", "from the shell")
        await text(browser, "from the shell")
        listed = await asyncio.to_thread(lambda: shell.json("devices"))
        assert {item["device_id"]: item["approved"] for item in listed}[browser.device_id]
        await run("devices", "remove", browser.device_id)
        await browser.do("until_state", state="removed")
        await (await ben.client.conversation("Plans")).send("to the shell only")
        history = await asyncio.to_thread(lambda: shell.json("history", "Plans"))
        assert history[-1]["text"] == "to the shell only"
        assert "to the shell only" not in await texts(plans)
        assert await warnings([browser], [ben]) == []

    told(one, tmp_path, story)


def test_a_browser_approves_the_command_line_and_removes_it(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ben, name = await scene.people.register("ben"), unique("ann")
        browser = await scene.web("register", name)
        there = await browser.direct(ben.name)
        await there.send("before there was a shell")
        shell = user(one, tmp_path, "shell")

        async def run(*arguments: str, status: int = 0) -> str:
            return await asyncio.to_thread(lambda: shell.run(*arguments, status=status))

        await run("login", name)
        [shown] = await asyncio.to_thread(lambda: shell.json("devices", "code"))
        await refused(browser.do("approve", code=shown["code"][::-1]), "wrong_code")
        [waiting] = [one for one in await browser.do("devices") if not one["approved"]]
        await browser.do("approve", code=shown["code"], name=waiting["device_name"])
        await run("send", ben.name, "from the shell")
        await ben.until_text("from the shell")
        assert (await text(browser, "from the shell"))["outgoing"]
        number = await browser.safety_number(ben.name)
        [seen] = await asyncio.to_thread(lambda: shell.json("verify", ben.name))
        assert seen["digits"] == number["digits"]
        await browser.remove_device(waiting["device_id"])
        await run("send", ben.name, "once more", status=3)
        await (await ben.client.direct(name)).send("to the browser only")
        await text(browser, "to the browser only")
        assert (await shared(browser, there.id)).peer_name == ben.name
        assert await warnings([browser], [ben]) == []

    told(one, tmp_path, story)
