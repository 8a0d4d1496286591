"""Files on the web client's screens in Chromium, with somebody at the Python client."""

from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from messenger.client import MessageReceived
from tests.system.stack import Stack
from tests.system.test_web_ui import PATIENCE, Beside, bundles, judge_looks, told

__all__ = ["bundles"]  # a fixture

pytestmark = pytest.mark.system


class Ben(Beside):
    """Somebody who gets files, and sends some."""

    async def do_got(self, said: dict[str, Any]) -> object:
        def fits(event: MessageReceived) -> bool:
            file = event.message.file
            return file is not None and file.name == said["name"]

        message = (await self.who.until(MessageReceived, fits, PATIENCE)).message
        path = await self.who.client.fetch_file(message, self.people.folder / f"got-{said['name']}")
        return {"content": b64encode(path.read_bytes()).decode()}

    async def do_sends(self, said: dict[str, Any]) -> object:
        path = self.people.folder / "sent"
        path.write_bytes(b64decode(said["content"]))
        talk = await self.who.client.direct(said["to"])
        await talk.send_file(path, name=said["name"])
        return {}


def test_files_are_sent_shown_and_saved(bundles: Path, one: Stack, tmp_path: Path) -> None:
    found = told(bundles, one, tmp_path, "files", Ben)
    judge_looks(found, tmp_path)
