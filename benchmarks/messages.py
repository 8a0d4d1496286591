"""1:1 messages of 512 bytes: committed, delivered live, acknowledged by the receiver.

50 pairs, each sender with 1 and with 8 messages in flight. A message counts when its receiver has it. The
count in the database proves that all are there.
"""

import asyncio
import base64
import json
import time
from typing import Any
from uuid import uuid4

import uvloop

from benchmarks.client import Client, connect
from benchmarks.cpu import cpu_seconds
from benchmarks.generator import generator
from benchmarks.report import Row
from benchmarks.system import people, processes, scalar, system
from tests.system.stack import Stack

PAIRS = 50
CONTENT = base64.b64encode(b"\x5a" * 512).decode()
SECONDS = 15.0
WARMUP = 3.0

Pair = tuple[str, str, str, str]  # url, sender's token, receiver's token, conversation


class Load:
    """Sends on behalf of all pairs and notes what arrives."""

    def __init__(self, in_flight: int) -> None:
        self.in_flight = in_flight
        self.running = True
        self.sent_at: dict[str, float] = {}
        self.latencies: list[float] = []
        self.delivered = 0
        self.answered = 0
        self.sent = 0

    def send(self, client: Client, conversation_id: str) -> None:
        client_id = str(uuid4())
        self.sent += 1
        self.sent_at[client_id] = time.perf_counter()
        client.say(
            f'{{"type":"send","ref":"{client_id}","conversation_id":"{conversation_id}",'
            f'"client_id":"{client_id}","kind":"text","content":"{CONTENT}"}}'.encode()
        )

    def at_sender(self, conversation_id: str) -> Any:
        def heard(client: Client, frame: dict[str, Any]) -> None:
            if frame["type"] == "sent":
                self.answered += 1
                if self.running:
                    self.send(client, conversation_id)
            elif frame["type"] == "error":
                raise RuntimeError(str(frame))

        return heard

    def at_receiver(self, client: Client, frame: dict[str, Any]) -> None:
        if frame["type"] == "message":
            self.delivered += 1
            began = self.sent_at.pop(frame["client_id"], None)
            if began is not None:
                self.latencies.append(time.perf_counter() - began)
            client.say(
                b'{"type":"ack","conversation_id":"%s","seq":%d}'
                % (frame["conversation_id"].encode(), frame["seq"])
            )


async def _generate(pairs: list[Pair], in_flight: int, pipe: Any) -> None:
    load = Load(in_flight)
    senders = []
    for url, sender, receiver, conversation_id in pairs:
        await connect(url, receiver, load.at_receiver)
        senders.append((await connect(url, sender, load.at_sender(conversation_id)), conversation_id))
    for client, conversation_id in senders:
        for _ in range(in_flight):
            load.send(client, conversation_id)
    await asyncio.sleep(WARMUP)
    pipe.send("begin")
    load.latencies.clear()
    before, began = load.delivered, time.perf_counter()
    await asyncio.sleep(SECONDS)
    count, seconds = load.delivered - before, time.perf_counter() - began
    latencies = sorted(load.latencies)
    pipe.send((count, seconds, latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]))
    load.running = False
    deadline = time.perf_counter() + 10
    while min(load.delivered, load.answered) < load.sent and time.perf_counter() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    pipe.send((load.answered, load.delivered))


def _generator(pairs: list[Pair], in_flight: int, pipe: Any) -> None:
    uvloop.run(_generate(pairs, in_flight, pipe))


def measure(stack: Stack, in_flight: int) -> list[Row]:
    """One run on a started system."""
    users = people(stack, 2 * PAIRS)
    pairs = []
    for number in range(PAIRS):
        sender, receiver = users[2 * number], users[2 * number + 1]
        url = stack.urls[number % len(stack.urls)]
        pairs.append((url, sender.token, receiver.token, sender.direct(receiver)))
    stored = scalar(stack, "select count(*) from message.messages")
    with generator(_generator, pairs, in_flight) as (pipe, pid):
        assert pipe.recv() == "begin"
        before = {**processes(stack), "generator": cpu_seconds(pid)}
        count, seconds, median, worst = pipe.recv()
        after = {**processes(stack), "generator": cpu_seconds(pid)}
        answered, delivered = pipe.recv()
    there = scalar(stack, "select count(*) from message.messages") - stored
    spent = {name: (after[name] - before[name]) * 1e6 / count for name in after}
    total = sum(value for name, value in spent.items() if name != "generator")
    kind = f"{PAIRS} pairs, {in_flight} in flight"
    rows = [
        Row(f"{kind}: messages a second", count / seconds, "1/s"),
        Row(f"{kind}: latency to the receiver, p50", median * 1000, "ms"),
        Row(f"{kind}: latency to the receiver, p99", worst * 1000, "ms"),
        Row(f"{kind}: CPU a delivered message, all our processes and engines", total, "µs"),
    ]
    rows += [
        Row(f"{kind}: CPU a delivered message, {name}", value, "µs")
        for name, value in sorted(spent.items(), key=lambda item: -item[1])
        if value >= 0.5
    ]
    rows.append(
        Row(
            f"{kind}: answered, delivered, in the database",
            there,
            "messages",
            f"{answered}, {delivered}, {there}",
        )
    )
    assert answered == delivered == there or there >= answered, (answered, delivered, there)
    return rows


def run() -> list[Row]:
    """All rows."""
    rows: list[Row] = []
    with system() as stack:
        for in_flight in (1, 8):
            rows += measure(stack, in_flight)
    with system(instances=2) as stack:
        rows += [row._replace(what=f"two instances, {row.what}") for row in measure(stack, 8)[:4]]
    return rows


if __name__ == "__main__":
    print(json.dumps([list(row) for row in run()], indent=1))
