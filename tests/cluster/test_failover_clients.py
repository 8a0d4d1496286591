"""A standby that was behind takes over from under the Python client: nothing is lost for good, nothing is
told twice, and nobody is suspected."""

import asyncio
from pathlib import Path

import pytest

from messenger.client.events import HistoryRestarted, ServerWarning
from tests.cluster.failing_over import ready_again
from tests.cluster.postgres_pair import Pair, pair
from tests.cluster.test_failover import served
from tests.system.stack import Stack
from tests.system.talkers import Talker, crowd

pytestmark = [pytest.mark.system, pytest.mark.long]


async def play(folder: Path, stack: Stack, servers: Pair) -> list[Talker]:
    """Alice and bob talk, directly and in a group, over a failover that loses what was said last."""
    async with crowd(folder, stack.url) as people:
        alice, bob = await people.register("alice"), await people.register("bob")
        direct = await alice.client.direct(bob.name)
        group = await alice.client.create_group("of two", [bob.name])
        for number, place in enumerate((direct, group)):
            await place.send(f"before {number}")
            await bob.until_text(f"before {number}")
        await asyncio.to_thread(servers.standby.cut_off)
        for number in range(4):
            await (direct, group)[number % 2].send(f"lost {number}")
            await bob.until_text(f"lost {number}")
        await asyncio.to_thread(servers.fail_over)
        await ready_again(stack.url)
        for talker in (alice, bob):
            await talker.until(HistoryRestarted)
        back = await bob.client.direct(alice.name)
        await back.send("and I")
        for number, place in enumerate((direct, group)):
            await place.send(f"after {number}")
            await bob.until_text(f"after {number}")
        await alice.until_text("and I")
        carol = await people.register("carol")
        await group.add(carol.name)
        await group.send("welcome")
        for talker in (bob, carol):
            await talker.until_text("welcome")
        return [alice, bob, carol]


def test_what_was_lost_comes_back(tmp_path: Path) -> None:
    with pair(tmp_path, synchronous=False) as servers, served(tmp_path / "s", servers.hosts) as stack:
        talkers = asyncio.run(play(tmp_path / "people", stack, servers))
    for talker in talkers:
        assert [one for one in talker.heard if isinstance(one, ServerWarning)] == []
    said = [f"{when} {number}" for when in ("before", "lost", "after") for number in range(2)]
    texts = talkers[1].texts()
    assert len(texts) == len(set(texts))
    assert set(said) <= set(texts)
