"""One sender to many connected members of a group: CPU for each delivery, and the time until all have it."""

import asyncio
import base64
import time
from typing import Any
from uuid import uuid4

import uvloop

from benchmarks.client import Client, connect
from benchmarks.cpu import cpu_seconds
from benchmarks.generator import generator
from benchmarks.report import Row
from benchmarks.system import people, processes, system
from tests.system.people import Person
from tests.system.stack import Stack

CONTENT = base64.b64encode(b"\x5a" * 512).decode()
MESSAGES = {200: 200, 1000: 50}


async def _generate(url: str, tokens: list[str], conversation_id: str, messages: int, pipe: Any) -> None:
    delivered = 0
    all_there = asyncio.Event()
    answered = asyncio.Event()

    def at_sender(_client: Client, frame: dict[str, Any]) -> None:
        if frame["type"] == "sent":
            answered.set()

    def at_member(_client: Client, frame: dict[str, Any]) -> None:
        nonlocal delivered
        # Of an earlier group there may be a backlog.
        if frame["type"] == "message" and frame["conversation_id"] == conversation_id:
            delivered += 1
            if delivered % (len(tokens) - 1) == 0:
                all_there.set()

    sender = await connect(url, tokens[0], at_sender)
    for start in range(1, len(tokens), 50):
        await asyncio.gather(*(connect(url, token, at_member) for token in tokens[start : start + 50]))
    pipe.send("begin")
    pipe.recv()
    took = []
    for _ in range(messages):
        began = time.perf_counter()
        client_id = str(uuid4())
        sender.say(
            f'{{"type":"send","ref":"{client_id}","conversation_id":"{conversation_id}",'
            f'"client_id":"{client_id}","kind":"text","content":"{CONTENT}"}}'.encode()
        )
        await asyncio.wait_for(all_there.wait(), 30)
        all_there.clear()
        await asyncio.wait_for(answered.wait(), 30)
        answered.clear()
        took.append(time.perf_counter() - began)
    pipe.send((delivered, sorted(took)[len(took) // 2]))
    pipe.recv()


def _generator(*arguments: Any) -> None:
    uvloop.run(_generate(*arguments))


def measure(stack: Stack, users: list[Person], members: int) -> list[Row]:
    """One group of `members`, the sender included."""
    conversation_id = users[0].group(*users[1:members])
    tokens = [one.token for one in users[:members]]
    with generator(_generator, stack.url, tokens, conversation_id, MESSAGES[members]) as (pipe, pid):
        assert pipe.recv() == "begin"
        before = {**processes(stack), "generator": cpu_seconds(pid)}
        pipe.send("go")
        delivered, median = pipe.recv()
        after = {**processes(stack), "generator": cpu_seconds(pid)}
        pipe.send("end")
    assert delivered == MESSAGES[members] * (members - 1), delivered
    spent = {name: (after[name] - before[name]) * 1e6 / delivered for name in after}
    total = sum(value for name, value in spent.items() if name != "generator")
    kind = f"one sender to {members} members"
    return [
        Row(f"{kind}: CPU a delivery, all our processes and engines", total, "µs"),
        Row(f"{kind}: CPU a delivery, message", spent["message"], "µs"),
        Row(f"{kind}: CPU a delivery, gateway", spent["gateway"], "µs"),
        Row(f"{kind}: CPU a delivery, generator", spent["generator"], "µs"),
        Row(f"{kind}: until all have it, p50", median * 1000, "ms"),
    ]


def run() -> list[Row]:
    """All rows."""
    with system() as stack:
        users = people(stack, 1000)
        return measure(stack, users, 200) + measure(stack, users, 1000)
