"""Bystanders: people who send now and then, and note how long each message takes to be answered."""

import asyncio
import time
from collections import Counter
from typing import Any, NamedTuple
from uuid import uuid4

import uvloop

from benchmarks.client import Client, connect

RATE = 10.0  # messages a second, of each
LATE = 1.0  # seconds: an answer that takes longer counts as none

Sender = tuple[str, str, str]  # url, token, conversation


class Window(NamedTuple):
    """What was seen for a while. `p99` is in seconds; `refused` are codes, `late` had no answer in time."""

    p99: float
    count: int
    late: int
    refused: dict[str, int]


class Bystander:
    """Somebody who sends."""

    def __init__(self, conversation_id: str, content: str, took: list[float], refused: Counter[str]) -> None:
        self._conversation_id = conversation_id
        self._content = content
        self._sent_at: dict[str, float] = {}
        self._took = took
        self._refused = refused
        self.client: Client | None = None

    def heard(self, _client: Client, frame: dict[str, Any]) -> None:
        if frame["type"] not in ("sent", "error"):
            return
        began = self._sent_at.pop(frame["ref"], None)
        if began is not None:
            self._took.append(time.perf_counter() - began)
        if frame["type"] == "error":
            self._refused[frame["code"]] += 1

    async def send(self, delay: float) -> None:
        await asyncio.sleep(delay)
        while self.client is not None:
            client_id = str(uuid4())
            self._sent_at[client_id] = time.perf_counter()
            self.client.say(
                f'{{"type":"send","ref":"{client_id}","conversation_id":"{self._conversation_id}",'
                f'"client_id":"{client_id}","kind":"text","content":"{self._content}"}}'.encode()
            )
            await asyncio.sleep(1 / RATE)

    def unanswered(self) -> int:
        now = time.perf_counter()
        return sum(now - began > LATE for began in self._sent_at.values())


async def _stand_by(senders: list[Sender], content: str, pipe: Any) -> None:
    took: list[float] = []
    refused: Counter[str] = Counter()
    people = [Bystander(name, content, took, refused) for _, _, name in senders]
    for one, (url, token, _) in zip(people, senders, strict=True):
        one.client = await connect(url, token, one.heard)
    sending = [
        asyncio.ensure_future(one.send(number / len(people) / RATE)) for number, one in enumerate(people)
    ]
    loop = asyncio.get_running_loop()
    pipe.send("begin")
    while seconds := await loop.run_in_executor(None, pipe.recv):
        took.clear()
        refused.clear()
        await asyncio.sleep(seconds)
        times = sorted(took)
        late = sum(one.unanswered() for one in people) + sum(one > LATE for one in times)
        p99 = times[int(len(times) * 0.99)] if times else float(seconds)
        pipe.send(Window(p99, len(times), late, dict(refused)))
    for task in sending:
        task.cancel()


def stand_by(*arguments: Any) -> None:
    """In a process: says `begin` once all are there, and a Window for each number of seconds; 0 ends it."""
    uvloop.run(_stand_by(*arguments))
