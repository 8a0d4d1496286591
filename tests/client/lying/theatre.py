"""Plays stories, one after the other."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.client.lying import calls_keys, calls_talks, shortcuts  # noqa: F401 - their routes answer
from tests.client.lying.front import Front, listening
from tests.client.lying.judging import warnings
from tests.client.lying.liar import Lie
from tests.client.lying.stage import STEPS, Snapshot
from tests.client.lying.story import Story, prologue

MEMORY = Path("/dev/shm")


class Theatre:
    """One port and one event loop for all stories, which begin where their lies do."""

    def __init__(
        self,
        runner: asyncio.Runner,
        front: Front,
        folder: Path,
        kind: type[Story] = Story,
        begin: Callable[[Front, Path], Awaitable[Snapshot]] = prologue,
    ) -> None:
        self.runner = runner
        self.front = front
        self.folder = folder
        self.kind = kind
        (folder / "prologue").mkdir()

        async def begun() -> Snapshot:
            return await begin(front, folder / "prologue")

        self.snapshots: list[Snapshot] = [runner.run(begun())]
        self.played = 0

    def play(self, *lies: Lie, kind: type[Story] | None = None, step: str = STEPS[0]) -> Story:
        """A story under these lies to its end; without any, from `step` on."""
        first = min((STEPS.index(one.begins) for one in lies), default=STEPS.index(step))
        snapshot = max(
            (one for one in self.snapshots if STEPS.index(one.step) <= first),
            key=lambda one: STEPS.index(one.step),
        )
        story = (kind or self.kind)(self.front, self._folder(), snapshot, lies)
        try:
            self.runner.run(story.run())
        finally:
            shutil.rmtree(story.folder)
        return story

    def go_on(self, step: str) -> None:
        """Keep what the honest story has come to before this step, for lies that begin there or later."""
        story = self.kind(self.front, self._folder(), self.snapshots[0])
        self.runner.run(story.run(until=step))
        assert warnings(story.outcome) == []
        self.snapshots.append(story.snapshot(step))

    def _folder(self) -> Path:
        self.played += 1
        folder = self.folder / f"story-{self.played}"
        folder.mkdir()
        return folder


@contextmanager
def opened(*, quick: bool) -> Iterator[Theatre]:
    """A theatre; `quick` with the shortcuts. Nothing outlives its story, so no write need reach a disk."""
    parent = MEMORY if MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="lying-", dir=parent) as name,
        pytest.MonkeyPatch.context() as patch,
        asyncio.Runner() as runner,
    ):
        context = listening()
        front = runner.run(context.__aenter__())
        if quick:
            shortcuts.take(patch, front)
        yield Theatre(runner, front, Path(name))
        runner.run(context.__aexit__(None, None, None))
