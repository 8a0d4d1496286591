"""The rules by which the bus goes from server to server, and what it publishes again; no NATS is asked."""

import asyncio
from itertools import cycle
from typing import Any

import nats.errors
import nats.js.errors
import pytest
from nats.js.api import ClusterInfo, PeerInfo, StreamConfig, StreamInfo, StreamState

from messenger.core.bus.publishing import Publisher, Unstored
from messenger.core.bus.servers import (
    CONNECT_SECONDS,
    LONGEST_CONNECT_SECONDS,
    ROUND_SECONDS,
    Servers,
    name_of,
)
from messenger.core.bus.streams import Streams
from tests.core.nats_client import FakeClient


class Told:
    """An acknowledgement, or another answer."""

    def __init__(self, subject: str, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.subject = subject
        self.data = data
        self.headers = headers


A, B, C = "nats://a:4222", "nats://b:4222", "nats://c:4222"
FOUND = "nats://10.0.0.1:4222"


def chosen(client: FakeClient, servers: Servers) -> tuple[str, float]:
    server, pause = servers.choose(client.server_pool, {})
    assert server is not None
    return name_of(server), pause


def test_another_server_is_tried_before_the_one_that_was_lost() -> None:
    client = FakeClient(A, B, FOUND)
    servers = Servers(client, [A, B])  # type: ignore[arg-type]
    servers.leave("a:4222")
    order = []
    for _ in range(3):
        name, pause = chosen(client, servers)
        assert pause == 0.0
        assert client.options["connect_timeout"] == CONNECT_SECONDS
        order.append(name)
        client.failures[f"nats://{name}"] += 1
    # Of the others the one that the configuration names comes first.
    assert order == ["b:4222", "10.0.0.1:4222", "a:4222"]
    assert chosen(client, servers)[1] == ROUND_SECONDS
    assert client.options["connect_timeout"] == 2 * CONNECT_SECONDS
    client.failures = dict.fromkeys(client.failures, 9)
    chosen(client, servers)
    assert client.options["connect_timeout"] == LONGEST_CONNECT_SECONDS


def test_an_outage_of_hours_is_waited_out() -> None:
    """An error here would be met with the same question at once, without end: nothing else would run."""
    client = FakeClient(A)
    servers = Servers(client, [A])  # type: ignore[arg-type]
    servers.leave("a:4222")
    client.failures[A] = 100_000
    assert chosen(client, servers) == ("a:4222", ROUND_SECONDS)
    assert client.options["connect_timeout"] == LONGEST_CONNECT_SECONDS


def test_what_failed_in_an_earlier_outage_does_not_count() -> None:
    client = FakeClient(A, B, C)
    client.failures[B] = 50
    servers = Servers(client, [A, B])  # type: ignore[arg-type]
    servers.leave("a:4222")
    assert chosen(client, servers) == ("b:4222", 0.0)


def test_who_knows_a_better_server_goes_there() -> None:
    client = FakeClient(A, B, C)
    servers = Servers(client, [A, B, C])  # type: ignore[arg-type]
    servers.want("c:4222")
    servers.leave("a:4222")
    assert chosen(client, servers)[0] == "c:4222"
    servers.arrive()
    servers.leave("c:4222")
    assert chosen(client, servers)[0] != "c:4222"


def test_a_password_in_a_url_is_no_part_of_the_name() -> None:
    client = FakeClient("nats://user:secret@a:4222", "nats://a:4222")
    assert not Servers(client, ["nats://user:secret@a:4222"]).several  # type: ignore[arg-type]
    assert Servers(client, []).others("a:4222") == []  # type: ignore[arg-type]


async def published(client: FakeClient, seconds: float = 5.0) -> tuple[Publisher, asyncio.Task[None]]:
    publisher = Publisher(client, seconds, lambda _subject: {})  # type: ignore[arg-type]
    await publisher.start()
    task = asyncio.create_task(publisher.publish("messenger.news.x", b"payload", "1"))
    await asyncio.sleep(0)
    return publisher, task


def test_what_is_not_acknowledged_is_published_again_under_its_id() -> None:
    async def run() -> None:
        client = FakeClient()
        publisher, task = await published(client)
        await publisher.again()
        assert [one[2] for one in client.sent] == ["1", "1"]
        reply = client.sent[0][1]
        assert client.sent[1][1] == reply
        assert client.hear is not None
        for _ in range(2):  # the stream acknowledges both, the second as a repeat
            await client.hear(Told(reply, b'{"stream":"MESSENGER_NEWS","seq":7,"duplicate":true}'))
        await task
        await publisher.again()
        assert len(client.sent) == 2

    asyncio.run(run())


def test_without_a_connection_it_is_published_once_there_is_one() -> None:
    async def run() -> None:
        client = FakeClient()
        client.is_connected = False
        publisher, task = await published(client)
        assert client.sent == []
        await publisher.again()
        assert client.hear is not None
        await client.hear(Told(client.sent[0][1], b"{}"))
        await task

    asyncio.run(run())


@pytest.mark.parametrize(
    ("data", "headers", "text", "unexplained"),
    [
        (b'{"error":{"code":503,"description":"no room"}}', None, "no room", True),
        (b'{"error":{"code":400,"description":"too large"}}', None, "too large", False),
        (b"", {"Status": "503"}, "no stream takes it", True),
        (b"hm", None, "something else", False),
    ],
)
def test_a_refusal_says_why(
    data: bytes, headers: dict[str, str] | None, text: str, unexplained: bool
) -> None:
    async def run() -> None:
        client = FakeClient()
        _, task = await published(client)
        assert client.hear is not None
        await client.hear(Told(client.sent[0][1], data, headers))
        with pytest.raises(Unstored, match=text) as raised:
            await task
        assert raised.value.unexplained is unexplained

    asyncio.run(run())


def test_an_acknowledgement_that_never_comes_is_not_waited_for_without_end() -> None:
    async def run() -> None:
        publisher, task = await published(FakeClient(), 0.01)
        with pytest.raises(Unstored) as raised:
            await task
        assert raised.value.unexplained
        await publisher.again()  # nothing is left of it

    asyncio.run(run())


class FakeStreams:
    """JetStream of a cluster of which `there` servers are there."""

    def __init__(self, there: int) -> None:
        self.there = there
        self.kept: dict[str, int] = {}

    async def add_stream(self, config: Any) -> None:
        kept = self.kept.get(config.name)
        if kept is None:
            self._place(config)
        elif kept != config.num_replicas:
            raise nats.js.errors.BadRequestError(code=400, err_code=10058)

    async def update_stream(self, config: Any) -> None:
        self._place(config)

    def _place(self, config: Any) -> None:
        if config.num_replicas > self.there:
            raise nats.js.errors.BadRequestError(code=400, err_code=10005)
        self.kept[config.name] = config.num_replicas


class Election:
    """Streams of which none answers until `silent` publishes have gone unanswered; then they take `taken`."""

    def __init__(self, silent: int, taken: bool, *clusters: ClusterInfo | None) -> None:
        self.silent = silent
        self.taken = taken
        self.clusters = cycle(clusters)
        self.deleted: list[str] = []

    async def publish(self, _subject: str, _payload: bytes, timeout: float) -> None:
        if self.silent > 0 or not self.taken:
            self.silent -= 1
            raise nats.errors.TimeoutError

    async def stream_info(self, _name: str) -> StreamInfo:
        if self.silent > 0:
            raise nats.errors.TimeoutError
        return StreamInfo(StreamConfig(), StreamState(0, 0, 0, 0, 0), cluster=next(self.clusters))

    async def delete_stream(self, name: str) -> None:
        self.deleted.append(name)


@pytest.mark.parametrize("silent", [0, 1, 2, 99])
def test_a_stream_without_a_leader_is_not_taken_for_a_full_one(silent: int) -> None:
    """It would be deleted, and `/ready` would say that a disk is full."""

    async def run() -> None:
        jetstream = Election(silent, True, None)
        streams = Streams(jetstream, 3)  # type: ignore[arg-type]
        assert await streams.full() == []
        await streams.delete_full()
        assert jetstream.deleted == []

    asyncio.run(run())


def led_by(leader: str | None, *heard: float, current: bool = True) -> ClusterInfo:
    """A cluster whose leader has heard from each of the others so many seconds ago."""
    others = [PeerInfo(current=current, active=int(ago * 1e9)) for ago in heard]
    return ClusterInfo(leader, replicas=others)


@pytest.mark.parametrize(
    "clusters",
    [
        [led_by("a", 0.5, 0.5), led_by("b", 0.5, 0.5)],  # an election on the way
        [led_by("a", 7.0, 7.0)],  # which was cut off, and does not know yet that it leads no more
        [led_by("a", 0.5, 0.5, current=False)],
        [led_by(None, 0.5, 0.5)],
    ],
)
def test_a_stream_whose_leader_changes_or_is_alone_is_not_taken_for_a_full_one(
    clusters: list[ClusterInfo],
) -> None:
    async def run() -> None:
        assert await Streams(Election(0, False, *clusters), 3).full() == []  # type: ignore[arg-type]

    asyncio.run(run())


@pytest.mark.parametrize("cluster", [None, led_by("a"), led_by("a", 0.5, 7.0)])
def test_a_stream_that_stores_nothing_under_its_leader_is_full(cluster: ClusterInfo | None) -> None:
    async def run() -> None:
        jetstream = Election(0, False, cluster)
        streams = Streams(jetstream, 1)  # type: ignore[arg-type]
        assert len(await streams.full()) == 2
        await streams.delete_full()
        assert len(jetstream.deleted) == 2

    asyncio.run(run())


def test_streams_have_fewer_copies_until_there_are_enough_servers() -> None:
    async def run() -> None:
        jetstream = FakeStreams(2)
        streams = Streams(jetstream, 3)  # type: ignore[arg-type]
        await streams.make()
        assert (set(jetstream.kept.values()), streams.short) == ({2}, True)
        await streams.make()
        assert (set(jetstream.kept.values()), streams.short) == ({2}, True)
        jetstream.there = 3
        await streams.make()
        assert (set(jetstream.kept.values()), streams.short) == ({3}, False)
        jetstream.there = 0
        jetstream.kept.clear()
        with pytest.raises(nats.js.errors.APIError):
            await streams.make()

    asyncio.run(run())
