"""Three NATS nodes: any one of them may be missing, and where two are, people still hear each other."""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cluster.flow import Flow
from tests.cluster.nats_cluster import NatsCluster
from tests.cluster.network import Machine, network, why_not
from tests.system.stack import Stack, running
from tests.system.waiting import until

pytestmark = pytest.mark.system

BUS_SECONDS = 4.0
"""Who misses an event finds it after five seconds in PostgreSQL; what comes sooner came by NATS."""
HEAL_SECONDS = 10.0
"""Where nodes do not hear each other though we hear all, PostgreSQL is what is left."""
PEACE_SECONDS = 7.0  # what is lost now shows within them
MENDED = "is in reach again"
NEEDS_NETWORK = pytest.mark.skipif(bool(why_not()), reason=why_not())


@contextmanager
def cluster(
    folder: Path, down: int | None = None, machines: Sequence[Machine] = ()
) -> Iterator[tuple[Stack, NatsCluster]]:
    """A system with two message instances on three nodes, of which the one numbered `down` is not started."""
    nats = NatsCluster(folder / "nats", machines)
    try:
        nats.start([node for number, node in enumerate(nats.nodes) if number != down])
        with running(Stack(folder, "apart", nats.settings)) as stack:
            yield stack, nats
    finally:
        nats.stop()


def judge(flow: Flow, *, ready: bool = True) -> None:
    """Print what each fault cost, and hold it to what the bus promises."""
    flow.judge()
    for name, worst, unready in flow.costs():
        print(f"{name}: the longest delivery took {worst * 1000:.0f} ms, {len(unready)} times not ready")
    for name, worst, unready in flow.costs():
        # NATS' own connections among its nodes come back as TCP does, later than ours to each of them.
        assert worst < (HEAL_SECONDS if MENDED in name else BUS_SECONDS), name
        assert not (ready and unready), (name, unready[0])


def test_a_node_that_is_down_at_the_start_and_one_that_dies(tmp_path: Path) -> None:
    """The short part: a first start with two of three nodes, then all, then one of the others dies."""

    async def run(stack: Stack, nats: NatsCluster) -> Flow:
        async with Flow(stack) as flow:
            flow.fault("nats-3 is down from the start")
            await asyncio.sleep(2)
            flow.fault("nats-3 comes")
            await asyncio.to_thread(nats.restart, nats.nodes[2])
            flow.fault("nats-1 is killed")
            nats.nodes[0].kill()
            await asyncio.sleep(PEACE_SECONDS)
        return flow

    with cluster(tmp_path, down=2) as (stack, nats):
        judge(asyncio.run(run(stack, nats)))


@pytest.mark.long
def test_each_node_dies_and_hangs(tmp_path: Path) -> None:
    async def run(stack: Stack, nats: NatsCluster) -> Flow:
        async with Flow(stack) as flow:
            for node in nats.nodes:
                flow.fault(f"{node.name} is killed")
                node.kill()
                await asyncio.sleep(PEACE_SECONDS)
                flow.fault(f"{node.name} comes back")
                await asyncio.to_thread(nats.restart, node)
                flow.fault(f"{node.name} is stopped")
                node.process.terminate()
                await asyncio.sleep(PEACE_SECONDS)
                flow.fault(f"{node.name} is started again")
                await asyncio.to_thread(nats.restart, node)
            for node in nats.nodes:
                flow.fault(f"{node.name} hangs")
                node.process.send(signal.SIGSTOP)
                await asyncio.sleep(PEACE_SECONDS)
                flow.fault(f"{node.name} goes on")
                node.process.send(signal.SIGCONT)
                await asyncio.to_thread(nats.whole)
        return flow

    with cluster(tmp_path) as (stack, nats):
        judge(asyncio.run(run(stack, nats)))


@pytest.mark.long
@NEEDS_NETWORK
def test_each_node_is_cut_off(tmp_path: Path) -> None:
    async def run(stack: Stack, nats: NatsCluster, machines: Sequence[Machine]) -> Flow:
        async with Flow(stack) as flow:
            for node, machine in list(zip(nats.nodes, machines, strict=True)) * 2:
                flow.fault(f"{node.name} is cut off")
                machine.cut()
                await asyncio.sleep(2 * PEACE_SECONDS)
                flow.fault(f"{node.name} {MENDED}")
                machine.cable()
                await asyncio.to_thread(nats.whole)
        return flow

    with network(3) as machines, cluster(tmp_path, machines=machines) as (stack, nats):
        judge(asyncio.run(run(stack, nats, machines)))


@pytest.mark.long
def test_without_a_majority_people_hear_each_other_and_nothing_is_lost(tmp_path: Path) -> None:
    async def run(stack: Stack, nats: NatsCluster) -> Flow:
        async with Flow(stack) as flow:
            for node in nats.nodes[:2]:
                flow.fault(f"{node.name} is killed")
                node.kill()
                await asyncio.sleep(PEACE_SECONDS)
            state = await asyncio.to_thread(readiness, stack)
            assert state["ready"]
            assert state["checks"]["nats"] != "ready"
            flow.fault("both come back")
            for node in nats.nodes[:2]:
                node.start()
            await asyncio.to_thread(nats.whole)
        await asyncio.to_thread(until, lambda: outbox_rows(stack) == 0, 30.0)
        return flow

    with cluster(tmp_path) as (stack, nats):
        judge(asyncio.run(run(stack, nats)))


@pytest.mark.long
def test_without_a_majority_nobody_takes_the_disk_for_a_full_one(tmp_path: Path) -> None:
    """A stream that was taken for a full one would be deleted, and made again once there is a majority."""
    said: set[str] = set()

    async def watch(stack: Stack) -> None:
        while True:
            said.add((await asyncio.to_thread(readiness, stack))["checks"]["nats"])
            await asyncio.sleep(0.1)

    async def run(stack: Stack, nats: NatsCluster) -> Flow:
        async with Flow(stack) as flow:
            watching = asyncio.create_task(watch(stack))
            for kept in nats.nodes:
                others = [node for node in nats.nodes if node is not kept]
                flow.fault(f"all but {kept.name} are killed")
                for node in others:
                    node.kill()
                await asyncio.to_thread(until, lambda: readiness(stack)["checks"]["nats"] != "ready", 30.0)
                await asyncio.sleep(3 * PEACE_SECONDS)
                flow.fault("they come back")
                for node in others:
                    node.start()
                await asyncio.to_thread(nats.whole)
                await asyncio.to_thread(until, lambda: readiness(stack)["checks"]["nats"] == "ready", 30.0)
            watching.cancel()
        await asyncio.to_thread(until, lambda: outbox_rows(stack) == 0, 30.0)
        return flow

    with cluster(tmp_path) as (stack, nats):
        before = nats.streams()
        judge(asyncio.run(run(stack, nats)))
        assert before
        assert nats.streams() == before
        assert "disk full" not in stack.log_text()
    print("it said", said)
    assert not [word for word in said if "disk" in word]


def readiness(stack: Stack) -> dict[str, Any]:
    """What `/ready` of message-1 says, whatever its status."""
    found: dict[str, Any] = httpx.get(f"{stack.service_url('message')}/ready", timeout=5).json()
    return found


def outbox_rows(stack: Stack) -> int:
    """How many events the message service still has to give to NATS."""
    connection = stack.database()
    try:
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from message.outbox")
            found: tuple[int] = cursor.fetchone()  # type: ignore[assignment]
    finally:
        connection.close()
    return found[0]
