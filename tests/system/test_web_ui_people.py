"""Whom one believes to be who, on the web client's screens in Chromium, with somebody at the Python one."""

from pathlib import Path
from typing import Any

import pytest

from tests.system.people import PASSWORD
from tests.system.stack import Stack
from tests.system.test_web_ui import Beside, bundles, judge_looks, told

__all__ = ["bundles"]  # a fixture

pytestmark = pytest.mark.system


class Ben(Beside):
    """Somebody who is compared with."""

    ann = ""

    async def do_meets(self, said: dict[str, Any]) -> object:
        self.ann = said["name"]
        return {}

    async def do_number(self, _: dict[str, Any]) -> object:
        return {"digits": (await self.who.client.safety_number(self.ann)).digits}

    async def do_resets(self, _: dict[str, Any]) -> object:
        await self.who.client.reset_identity(PASSWORD)
        return {}

    async def do_adds(self, said: dict[str, Any]) -> object:
        assert (await self.who.client.add_contact(said["link"])).username == self.ann
        return {}

    async def do_link(self, _: dict[str, Any]) -> object:
        return {"link": await self.who.client.contact_link()}


def test_people_are_compared_linked_and_refused(bundles: Path, one: Stack, tmp_path: Path) -> None:
    found = told(bundles, one, tmp_path, "contacts", Ben)
    judge_looks(found, tmp_path)
