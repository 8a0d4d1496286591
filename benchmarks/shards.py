"""What more instances cost a message: eight of the message service against one, at people's rates.

1:1 messages of 512 bytes, of pairs behind one gateway, each acknowledged by its receiver; for each instance
as many pairs, and as many messages a second. They come one by one, so a commit holds one of them, which is
where to hear of it weighs most. Then one pair talks as fast as it can, alone, which shows what instances pay
that have neither of the two. What the same processes use when nobody writes is measured before, and taken
off. CPU is that of threads as the kernel counts it, in ns.
"""

import asyncio
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.client import connect
from benchmarks.generator import generator
from benchmarks.messages import Load, Pair
from benchmarks.report import Row
from benchmarks.system import UNBOUNDED, people
from tests.system.stack import Stack, running

PAIRS = 20  # for each instance
RATE = 20.0  # messages a second, for each instance
SECONDS = 15.0
WARMUP = 8.0
MANY = 8


async def _generate(pairs: list[Pair], rate: float, pipe: Any) -> None:
    load = Load(1)
    senders = []
    for url, sender, receiver, conversation_id in pairs:
        await connect(url, receiver, load.at_receiver)
        load.running = False  # who is answered does not send the next one
        senders.append((await connect(url, sender, load.at_sender(conversation_id)), conversation_id))
    await asyncio.sleep(WARMUP)
    pipe.send(0)
    await asyncio.sleep(SECONDS)
    pipe.send(0)
    begin, number = time.perf_counter(), 0
    warm = False
    while (now := time.perf_counter() - begin) < WARMUP + SECONDS:
        if not warm and now >= WARMUP:
            warm = True
            pipe.send(load.delivered)
        load.send(*senders[number % len(senders)])
        number += 1
        await asyncio.sleep(random.expovariate(rate))
    pipe.send(load.delivered)
    load.running = True
    load.send(*senders[0])
    await asyncio.sleep(1.0)
    pipe.send(load.delivered)
    await asyncio.sleep(SECONDS)
    pipe.send(load.delivered)


def _generator(pairs: list[Pair], rate: float, pipe: Any) -> None:
    uvloop.run(_generate(pairs, rate, pipe))


def _cpu(pid: int) -> float:
    """Microseconds that all threads of the process have run for."""
    return sum(
        int(path.read_text().split()[0]) / 1000 for path in Path(f"/proc/{pid}/task").glob("*/schedstat")
    )


def _spent(stack: Stack) -> dict[str, float]:
    """Microseconds so far, by process; of PostgreSQL not, whose processes come and go."""
    found = {name: _cpu(process.pid) for name, process in stack.processes.items() if name != "engines"}
    return {**found, "nats": _cpu(stack.engine("nats").pid)}


def _phase(stack: Stack, pipe: Any) -> tuple[dict[str, float], int]:
    """What was spent between two words of the generator, and how many messages arrived."""
    begun = pipe.recv()
    before = _spent(stack)
    ended = pipe.recv()
    return {name: value - before[name] for name, value in _spent(stack).items()}, ended - begun


def _measure(instances: int) -> tuple[dict[str, float], list[float]]:
    """By process, microseconds a message at people's rates; and each message instance's share in a message
    of two who talk alone, the least first."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), "apart", UNBOUNDED, instances=1, counts={"message": instances})
        with running(stack):
            users = people(stack, 2 * PAIRS * instances)
            pairs = [
                (stack.url, one.token, other.token, one.direct(other))
                for one, other in zip(users[::2], users[1::2], strict=True)
            ]
            with generator(_generator, pairs, RATE * instances) as (pipe, _):
                idle, _nothing = _phase(stack, pipe)
                busy, count = _phase(stack, pipe)
                alone, many = _phase(stack, pipe)
    shares = [(alone[name] - idle[name]) / many for name in alone if name.startswith("message-")]
    return {name: (busy[name] - idle[name]) / count for name in busy}, sorted(shares)


def run() -> list[Row]:
    """The figures."""
    rows, sums = [], []
    for instances in (1, MANY):
        spent, shares = _measure(instances)
        parts = {"message": 0.0, "nats": spent["nats"], "gateway": spent["gateway-1"]}
        for name, value in spent.items():
            if name.startswith("message-"):
                parts["message"] += value
        sums.append(sum(parts.values()))
        which = f"{instances} instances" if instances > 1 else "one instance"
        rows.append(Row(f"{which}: CPU a message, message service, NATS, gateway", sums[-1], "µs"))
        rows += [Row(f"{which}: of that {name}", value, "µs") for name, value in parts.items()]
    rows.append(Row(f"{MANY} instances against one", sums[1] / sums[0], "times"))
    nobody = shares[:-2]
    rows.append(
        Row("an instance with neither of two who talk, CPU a message", sum(nobody) / len(nobody), "µs")
    )
    return rows
