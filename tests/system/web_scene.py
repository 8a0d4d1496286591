"""People of both clients at one server: `messenger.client` here, the web client's engine in Node."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from messenger.client import ClientError, DeviceApproved, ServerWarning
from messenger.web.client.node import build, find_node
from tests.system.people import PASSWORD, unique
from tests.system.stack import Stack
from tests.system.talkers import Crowd, Talker, crowd
from tests.web.agent import Agent, Device, Talk, at_work

NODE = find_node()

if NODE is None:
    pytest.skip("no Node 20.19 or newer: the web client is not tested", allow_module_level=True)

Tell = Callable[["Scene"], Awaitable[None]]


class Scene:
    """People of both clients, at one server."""

    def __init__(self, people: Crowd, agent: Agent, url: str) -> None:
        self.people = people
        self.agent = agent
        self.url = url

    async def web(self, what: str, name: str, **said: Any) -> Device:
        """A device of the web client: of a new user (`register`), or of one who is there (`login`)."""
        device = await self.begun(what, unique("web"), username=name, **said)
        if what == "register":
            await device.do("synced")
        return device

    async def begun(self, what: str, profile: str, **said: Any) -> Device:
        """A profile as it is registered, logged in or opened."""
        given = {"server": self.url, "password": PASSWORD, "name": "web", **said}
        return Device(self.agent, profile, await self.agent.do(what, profile=profile, **given))

    async def browser(self, of: Talker) -> Device:
        """A browser of somebody's who has the Python client, which approves it."""
        device = await self.web("login", of.name)
        await of.client.approve_device(await device.device_code())
        await device.do("until", event="device_approved")
        await device.do("synced")
        return device

    async def program(self, of: Device) -> Talker:
        """The Python client of somebody's who has a browser, which approves it."""
        talker = await self.people.login(of.name)
        await of.do("approve", code=await talker.client.device_code())
        await talker.until(DeviceApproved)
        await talker.client.synced(20)
        return talker

    async def reopened(self, device: Device, **said: Any) -> Device:
        """The same profile as after a restart."""
        await device.close()
        again = await self.begun("open", device.profile, **said)
        await again.do("synced")
        return again


@cache
def _built() -> "tempfile.TemporaryDirectory[str]":
    """A folder with what is built for all stories; it goes with the process."""
    folder = tempfile.TemporaryDirectory(prefix="messenger-web-")
    build(NODE, Path(folder.name) / "out")
    return folder


def told(
    stack: Stack, folder: Path, story: Tell, bundles: Path | None = None, *, quick: bool = False
) -> None:
    """Tell a story; `quick`: the web client's passwords are derived by one hash."""
    bundles = bundles or Path(_built().name) / "out"

    async def tell() -> None:
        async with crowd(folder, stack.url) as people, at_work(NODE, bundles, quick=quick) as agent:
            await story(Scene(people, agent, stack.url))

    asyncio.run(tell())


async def refused(work: Awaitable[Any], word: str) -> ClientError:
    """What a call throws that is refused by this word."""
    with pytest.raises(ClientError) as caught:
        await work
    assert caught.value.code == word, caught.value
    return caught.value


async def text(device: Device, said: str) -> dict[str, Any]:
    """The message that a device of the web client was told of."""
    event = await device.do("until", event="message_received", text=said)
    found: dict[str, Any] = event["message"]
    return found


async def holds(check: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    """Return once a check, of which nobody tells, is true."""
    async with asyncio.timeout(seconds):
        while not await check():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def texts(talk: Talk) -> list[str]:
    """What a conversation says at a device of the web client."""
    return [one.text for one in await talk.history()]


async def shared(device: Device, conversation_id: str) -> Talk:
    """A conversation that a device of the web client has."""
    return next(one for one in await device.conversations() if one.id == conversation_id)


async def warnings(devices: Sequence[Device], talkers: Sequence[Talker]) -> list[ServerWarning]:
    """What was told of a hostile server, to anybody."""
    found = [one for device in devices for one in await device.events() if isinstance(one, ServerWarning)]
    return found + [one for talker in talkers for one in talker.heard if isinstance(one, ServerWarning)]
