"""A story told behind a hostile server, and what it does to messages on the way."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

from messenger.client import (
    Conversation,
    Settings,
)
from tests.system.hostile import Hostile, hostile_server
from tests.system.stack import Stack
from tests.system.talkers import QUICK, Talker, crowd

Frame = dict[str, Any]
Story = Callable[[Hostile, Talker, Talker, Conversation], Awaitable[None]]
STRICT = Settings(identity_changes="refuse", first_retry=0.05, last_retry=0.5)


def play(stack: Stack, folder: Path, story: Story, settings: Settings = QUICK) -> None:
    """Ann is at the true server, Bob behind a hostile one; they have spoken before it begins."""

    async def tell() -> None:
        async with hostile_server(stack.url) as hostile, crowd(folder, stack.url) as people:
            ann = await people.register("ann")
            bob = await people.register("bob", hostile.url, settings)
            to_bob = await ann.client.direct(bob.name)
            await to_bob.send("before")
            await bob.until_text("before")
            await (await bob.client.direct(ann.name)).send("before, too")
            await ann.until_text("before, too")
            await story(hostile, ann, bob, to_bob)

    asyncio.run(tell())


def flipped(text: str, at: int = -1) -> str:
    """Base64 with one byte changed."""
    raw = bytearray(base64.b64decode(text))
    raw[at] ^= 1
    return base64.b64encode(bytes(raw)).decode()


def key() -> str:
    """Some account key or identity key that is not the user's."""
    return base64.b64encode(bytes(SigningKey.generate().verify_key)).decode()


class OnTexts:
    """Does something to the texts that others write, passes all else on."""

    def __init__(self, do: Callable[[Frame, int], list[Frame]]) -> None:
        self.do = do
        self.count = 0

    def __call__(self, frame: Frame) -> list[Frame]:
        if frame["type"] != "message" or frame["kind"] == "control":
            return [frame]
        self.count += 1
        return self.do(frame, self.count)
