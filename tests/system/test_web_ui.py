"""The web client's screens in Chromium, on a real server, with somebody at the Python client beside.

Each story is told in `tests/web/screens`; in none of them a page may break its policies, or tell the console
of an error. `MESSENGER_PICTURES=docs/images` has the pictures of the documentation taken anew.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from messenger.client import MessageReceived
from messenger.web.client.node import CLIENT, ROOT, build, find_node
from tests.system.stack import Stack, running
from tests.system.talkers import Crowd, Talker, crowd
from tests.system.test_web_tabs import CHROMIUM

pytestmark = pytest.mark.system
NODE = find_node()
PATIENCE = 60.0  # seconds for a message

Cues = dict[str, Callable[[dict[str, Any]], Awaitable[object]]]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was built."""
    return build(NODE, tmp_path_factory.mktemp("web") / "out")


class Beside:
    """Somebody at the Python client, who does what a story asks for."""

    def __init__(self, people: Crowd) -> None:
        self.people = people
        self._who: Talker | None = None

    @property
    def who(self) -> Talker:
        """The one who has arrived."""
        assert self._who is not None
        return self._who

    def cues(self) -> Cues:
        """What can be asked for."""
        return {name.removeprefix("do_"): getattr(self, name) for name in dir(self) if name.startswith("do_")}

    async def do_arrive(self, said: dict[str, Any]) -> object:
        self._who = await self.people.register(said.get("name", "python"))
        return {"name": self.who.name, "password": self.people_password()}

    def people_password(self) -> str:
        """The password of all."""
        from tests.system.people import PASSWORD

        return PASSWORD

    async def do_hears(self, said: dict[str, Any]) -> object:
        def fits(event: MessageReceived) -> bool:
            return event.message.text == said["text"]

        await self.who.until(MessageReceived, fits, PATIENCE)
        return {}

    async def do_writes(self, said: dict[str, Any]) -> object:
        talk = await self.who.client.direct(said["to"])
        await self.who.client.settled(await talk.send(said["text"]))
        return {}

    async def do_group(self, said: dict[str, Any]) -> object:
        talk = await self.who.client.create_group(said["title"], [said["with"]])
        for text in said["texts"]:
            await self.who.client.settled(await talk.send(text))
        return {}

    async def do_approve(self, said: dict[str, Any]) -> object:
        await self.who.client.approve_device(said["code"])
        return {}

    async def do_remove(self, said: dict[str, Any]) -> object:
        for device in await self.who.client.devices():
            if device.device_id != self.who.client.device_id:
                await self.who.client.remove_device(device.device_id)
        return {}


def told(
    bundles: Path, stack: Stack, folder: Path, story: str, beside: type[Beside] = Beside
) -> dict[str, Any]:
    """Have a story happen; what came of it."""
    script = str(bundles / "tests" / "screens_live.js")
    command = [*NODE.node, script, str(CLIENT), str(CHROMIUM), stack.url, str(folder), story]

    async def tell() -> dict[str, Any]:
        async with crowd(folder, stack.url) as people:
            cues = beside(people).cues()
            node = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
            assert node.stdin is not None
            assert node.stdout is not None
            found: dict[str, Any] | None = None
            async for line in node.stdout:
                said = json.loads(line)
                if "cue" not in said:
                    found = said
                    continue
                answer = await cues[said["cue"]](said)
                node.stdin.write(json.dumps(answer).encode() + b"\n")
                await node.stdin.drain()
            assert await node.wait() == 0
            assert found is not None
            return found

    found = asyncio.run(tell())
    assert found["troubles"] == []
    return found


def test_people_write_to_each_other(bundles: Path, one: Stack, tmp_path: Path) -> None:
    told(bundles, one, tmp_path, "talks")


def test_each_state_says_what_happened_and_what_to_do(bundles: Path, one: Stack, tmp_path: Path) -> None:
    told(bundles, one, tmp_path, "states")


def test_all_is_done_by_the_keyboard_and_has_a_name(bundles: Path, one: Stack, tmp_path: Path) -> None:
    told(bundles, one, tmp_path, "keyboard")


def test_what_others_choose_changes_nothing_but_what_is_theirs(
    bundles: Path, one: Stack, tmp_path: Path
) -> None:
    told(bundles, one, tmp_path, "hostile")


def test_screens_look_right_for_everybody(bundles: Path, tmp_path: Path) -> None:
    # A server of its own, so that the people in the pictures have names.
    with running(Stack(tmp_path / "stack", "one")) as stack:
        found = told(bundles, stack, tmp_path, "looks")
    judge_looks(found, tmp_path)


def test_two_people_are_in_the_picture_at_the_top(bundles: Path, tmp_path: Path) -> None:
    with running(Stack(tmp_path / "stack", "one")) as stack:
        found = told(bundles, stack, tmp_path, "pair")
    judge_looks(found, tmp_path)
    assert (tmp_path / "pictures" / "two-people.png").stat().st_size <= 150 * 1024


def judge_looks(found: dict[str, Any], folder: Path) -> None:
    """Axe has found nothing; pictures go where somebody wants them."""
    assert found["violations"] == []
    pictures = sorted(folder.glob("pictures/*.png"))
    assert len(pictures) == found["pictures"]
    if os.environ.get("MESSENGER_PICTURES"):
        place = Path(os.environ["MESSENGER_PICTURES"])
        for picture in pictures:
            (place / picture.name).write_bytes(picture.read_bytes())
