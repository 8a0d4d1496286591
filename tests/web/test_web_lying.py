"""The server that lies, lie by lie, to devices of the web client: as tests/client/test_lying_server.py has it
for the Python client, with the same story, lies and judgement."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from messenger.web.client.node import build, find_node
from tests.client.lying import calls_keys, calls_talks  # noqa: F401 - their routes answer
from tests.client.lying.front import listening
from tests.client.lying.judging import check_honest, check_lie, check_two
from tests.client.lying.liar import Lie
from tests.client.lying.lies import ALL
from tests.client.lying.theatre import Theatre
from tests.client.test_lying_server import pair
from tests.web.agent import at_work
from tests.web.lying import WebStory, prologue

pytestmark = pytest.mark.long
NODE = find_node()
PAIRS = 40

if NODE is None:
    pytest.skip("no Node 20.19 or newer: the web client is not tested", allow_module_level=True)


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    """The theatre of all stories, with one agent for all devices."""
    bundles = build(NODE, tmp_path_factory.mktemp("web") / "out")
    with (
        tempfile.TemporaryDirectory(prefix="lying-web-") as folder,
        asyncio.Runner() as runner,
        ExitStack() as stack,
    ):

        def entered(context: Any) -> Any:
            async def enter() -> Any:
                return await context.__aenter__()

            async def leave() -> None:
                await context.__aexit__(None, None, None)

            found = runner.run(enter())
            stack.callback(lambda: runner.run(leave()))
            return found

        front = entered(listening())
        made = entered(at_work(NODE, bundles, quick=True))

        class Bound(WebStory):
            agent = made

        found = Theatre(runner, front, Path(folder), Bound, lambda at, where: prologue(at, where, made))
        found.go_on("talk")
        yield found


def test_an_honest_server_is_warned_of_by_nobody(theatre: Theatre) -> None:
    check_honest(theatre.play())


def _marks(kind: type[Lie]) -> list[pytest.MarkDecorator]:
    return [pytest.mark.xfail(strict=False, reason=kind.unmet)] if kind.unmet else []


@pytest.mark.parametrize("kind", [pytest.param(one, id=one.__name__, marks=_marks(one)) for one in ALL])
def test_a_lie(theatre: Theatre, kind: type[Lie]) -> None:
    lie = kind()
    check_lie(lie, theatre.play(lie))


@pytest.mark.parametrize("seed", range(PAIRS))
def test_two_lies(theatre: Theatre, seed: int) -> None:
    lies = pair(seed)
    check_two(lies, theatre.play(*lies))
