"""The rules by which the bus asks whether NATS is there and stores; no NATS is asked."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from messenger.core.bus import quorum as asking
from messenger.core.bus import watch as watching
from messenger.core.bus.link import AWAY_SECONDS, Link
from messenger.core.bus.quorum import Quorum
from messenger.core.bus.watch import PATIENCE_LEAST, PATIENCE_MOST, Patience, Watch
from messenger.core.settings import Nats
from tests.core.nats_client import FakeClient

A = "nats://a:4222"


def test_patience_follows_the_network() -> None:
    patience = Patience()
    for _ in range(20):
        patience.note(0.001)
    assert patience.seconds == PATIENCE_LEAST
    for number in range(20):
        patience.note(0.2 + 0.4 * (number % 2))
    assert 0.9 < patience.seconds < 2.5
    for _ in range(20):
        patience.missed()
    assert patience.seconds == PATIENCE_MOST
    for _ in range(60):
        patience.note(0.001)
    assert patience.seconds == PATIENCE_LEAST


def test_a_server_that_hangs_is_told_of_once_and_asked_once() -> None:
    """nats-py goes deaf when a question that was taken back is answered after all."""

    async def run() -> None:
        client = FakeClient()
        heard: asyncio.Queue[bool] = asyncio.Queue()
        watch = Watch(client, heard.put_nowait)  # type: ignore[arg-type]
        running = asyncio.create_task(watch.run())
        assert await heard.get() is False
        assert not watch.answers
        (asked,) = client.flushes
        asked.set_result(None)
        assert await heard.get() is True
        assert watch.answers
        client.is_closed = True
        watch.forget()
        await running

    asyncio.run(run())


def test_a_question_on_a_new_connection_is_not_taken_back_when_that_is_told_of() -> None:
    """It was asked a moment before; its answer made nats-py deaf, which took all later ones for answered."""

    async def run() -> None:
        client = FakeClient()
        heard: asyncio.Queue[bool] = asyncio.Queue()
        watch = Watch(client, heard.put_nowait)  # type: ignore[arg-type]
        running = asyncio.create_task(watch.run())
        await asyncio.sleep(0.01)
        (asked,) = client.flushes
        watch.begin()
        asked.set_result(None)  # InvalidStateError where it was cancelled
        # And should nats-py be deaf all the same, for whatever reason, that is noticed.
        client._reading_task = asyncio.get_running_loop().create_future()
        client._reading_task.set_result(None)
        assert await heard.get() is False
        client.is_closed = True
        await running

    asyncio.run(run())


def test_a_server_that_nobody_needs_is_asked_after_something_was_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "PROBE_SECONDS", 0.001)
    monkeypatch.setattr(watching, "REST_SECONDS", 3600.0)

    async def run() -> None:
        client = FakeClient()
        matters = False
        watch = Watch(client, lambda _answers: None, lambda: matters)  # type: ignore[arg-type]
        running = asyncio.create_task(watch.run())
        for asked in range(1, 4):
            await asyncio.sleep(0.05)
            assert len(client.flushes) == asked
            client.flushes[-1].set_result(None)
            await asyncio.sleep(0.05)
            watch.said()
        matters = True
        for _ in range(3):
            while client.flushes[-1].done():  # noqa: ASYNC110 - the fake has no event to wait for
                await asyncio.sleep(0.001)
            client.flushes[-1].set_result(None)
        client.is_closed = True
        await running

    asyncio.run(run())


def test_who_asks_for_the_first_time_after_a_loss_is_told_that_it_is_a_moment_ago() -> None:
    """Nobody need have asked before, for a server that does nothing."""

    async def run() -> None:
        now = 1000.0
        link = Link(Nats(), "x", lambda: now, lambda: None, lambda: None, lambda _: {}, lambda: False)
        assert not link.lately_up
        client = FakeClient(A)
        link.client = client  # type: ignore[assignment]
        link._at, link._down_at = "a:4222", float("inf")
        assert link.up
        now = 2000.0
        client.is_connected = False
        assert not link.up
        assert link.lately_up
        await link._went()
        now += AWAY_SECONDS / 2
        link._answered(True)  # a lost connection counts as one that answers
        assert link.lately_up
        now += AWAY_SECONDS
        assert not link.lately_up

    asyncio.run(run())


class Asked:
    """Streams that count how often they are asked."""

    def __init__(self) -> None:
        self.count = 0
        self.short = False
        self.waked = asyncio.Event()

    async def make(self) -> None:
        """They are there."""

    async def ask(self, _seconds: float) -> None:
        self.count += 1
        self.waked.set()


class FakeLink:
    """A link that is up, to `several` servers or one."""

    def __init__(self, several: bool) -> None:
        self.client = FakeClient(A)
        self.watch = Watch(self.client, lambda _answers: None)  # type: ignore[arg-type]
        self.servers = SimpleNamespace(several=several)
        self.up = True
        self.running: list[asyncio.Task[None]] = []

    def keep(self, coroutine: Any) -> None:
        self.running.append(asyncio.create_task(coroutine))


@pytest.mark.parametrize(("several", "replicas"), [(True, 1), (False, 3)])
def test_streams_that_may_lose_their_leader_are_asked_again_and_again(
    monkeypatch: pytest.MonkeyPatch, several: bool, replicas: int
) -> None:
    monkeypatch.setattr(asking, "ASK_SECONDS", 0.001)
    monkeypatch.setattr(asking, "REST_SECONDS", 3600.0)

    async def run() -> None:
        link, streams = FakeLink(several), Asked()
        quorum = Quorum(link, Nats(replicas=replicas), streams, lambda _: None)  # type: ignore[arg-type]
        await quorum.start()
        for _ in range(3):
            await streams.waked.wait()
            streams.waked.clear()
        link.running[0].cancel()

    asyncio.run(run())


def test_streams_of_a_single_server_are_asked_when_something_was_not_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "ASK_SECONDS", 0.001)
    monkeypatch.setattr(asking, "REST_SECONDS", 3600.0)

    async def run() -> None:
        link, streams = FakeLink(several=False), Asked()
        quorum = Quorum(link, Nats(), streams, lambda _: None)  # type: ignore[arg-type]
        await quorum.start()
        for count in range(1, 4):
            await asyncio.sleep(0.05)
            assert streams.count == count
            quorum.doubt()
        link.running[0].cancel()

    asyncio.run(run())
