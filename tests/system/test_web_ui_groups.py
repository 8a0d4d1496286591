"""Groups on the web client's screens in Chromium, with others at the Python client."""

from pathlib import Path
from typing import Any

import pytest

from messenger.client import RosterChanged
from tests.system.stack import Stack
from tests.system.talkers import Crowd, Talker
from tests.system.test_web_ui import PATIENCE, Beside, bundles, judge_looks, told
from tests.system.web_scene import holds

__all__ = ["bundles"]  # a fixture

pytestmark = pytest.mark.system


class Members(Beside):
    """Those who are in the group, or are to be."""

    def __init__(self, people: Crowd) -> None:
        super().__init__(people)
        self.others: dict[str, Talker] = {}

    async def do_joins(self, said: dict[str, Any]) -> object:
        made = await self.people.register(said["name"])
        self.others[made.name] = made
        return {"name": made.name}

    async def do_sees_title(self, said: dict[str, Any]) -> object:
        async def is_called() -> bool:
            (talk,) = await self.who.client.conversations()
            return talk.title == said["title"]

        await holds(is_called)
        return {}

    async def do_smuggles(self, said: dict[str, Any]) -> object:
        """Have the server name somebody whom the roster does not."""
        await self.who.until(RosterChanged, lambda event: event.change == "removed", PATIENCE)
        (talk,) = await self.who.client.conversations()
        user_id = self.others[said["name"]].client.user_id
        await self.who.client.engine.api.add_member(talk.id, user_id, "member")
        return {}


def test_groups_are_made_changed_and_left(bundles: Path, one: Stack, tmp_path: Path) -> None:
    found = told(bundles, one, tmp_path, "groups", Members)
    judge_looks(found, tmp_path)
