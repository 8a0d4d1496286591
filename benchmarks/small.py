"""The whole server, engines included, in 512 MB: 100 users, 10 messages a second, for an hour.

A cgroup bounds the memory of `twist messenger` and of its engines together, without swap; where none can be
made (that takes the superuser) the figures are taken all the same, and say so. Each message is timed from its
`send` frame to the `message` frame at the other end, all ends being open sockets of one process.

MESSENGER_SMALL_SECONDS is how long it takes, 3,600 by default (`python -m benchmarks small --seconds 300`).
"""

import asyncio
import json
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import psutil
import uvloop

from benchmarks.client import Client, connect
from benchmarks.cpu import cpu_seconds
from benchmarks.generator import generator
from benchmarks.report import Row
from benchmarks.system import people
from tests.system.people import Person, b64
from tests.system.stack import Stack, running

USERS = 100
RATE = 10.0
BYTES = 512 * 1024 * 1024
CONTENT = b64(bytes(300))
IDLE_SECONDS = 300.0
LATE_SECONDS = 30.0


class Cage:
    """A cgroup (version 1 or 2) with BYTES of memory; None of it where there is no right to make one."""

    def __init__(self) -> None:
        root = Path("/sys/fs/cgroup")
        self._two = (root / "cgroup.controllers").exists()
        self.place: Path | None = (root if self._two else root / "memory") / f"messenger-small-{os.getpid()}"
        try:
            self.place.mkdir()
            if self._two:
                (self.place / "memory.max").write_text(str(BYTES))
                with suppress(OSError):
                    (self.place / "memory.swap.max").write_text("0")
            else:
                (self.place / "memory.limit_in_bytes").write_text(str(BYTES))
        except OSError:
            self.place = None

    def within(self, arguments: list[str]) -> list[str]:
        """The command line that runs another one inside."""
        if self.place is None:
            return arguments
        return ["/bin/sh", "-c", f'echo $$ > {self.place}/cgroup.procs && exec "$@"', "sh", *arguments]

    @property
    def kills(self) -> int:
        """How often something was killed for want of memory."""
        if self.place is None:
            return 0
        name = "memory.events" if self._two else "memory.oom_control"
        words = (self.place / name).read_text().split()
        return int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0

    def remove(self) -> None:
        """Let go, once all in it have ended."""
        if self.place is not None:
            self.place.rmdir()


def _family(stack: Stack) -> list[psutil.Process]:
    main = psutil.Process(stack.processes["messenger"].pid)
    return [main, *main.children(recursive=True)]


class Memory(NamedTuple):
    """MB of all processes, what several share counted once."""

    used: float  # what only an end or swapping gives back
    mapped: float  # pages of program files, which the system drops where it needs room


def _memory(stack: Stack) -> Memory:
    sizes = Counter[str]()
    for process in _family(stack):
        with suppress(OSError):
            for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]:
                name, size, *_ = line.split()
                sizes[name] += int(size) * 1024
    return Memory((sizes["Pss_Anon:"] + sizes["Pss_Shmem:"]) / 1e6, sizes["Pss_File:"] / 1e6)


def _processor(stack: Stack) -> float:
    """CPU seconds so far, of all."""
    return cpu_seconds(stack.processes["messenger"].pid, whole_family=True)


async def _generate(url: str, tokens: list[str], pairs: list[str], seconds: float, pipe: Any) -> None:
    sent: dict[str, float] = {}
    taken: list[float] = []
    refused = 0

    def heard(client: Client, frame: dict[str, Any]) -> None:
        nonlocal refused
        if frame["type"] == "message":
            began = sent.pop(frame["client_id"], None)
            if began is not None:
                taken.append(time.perf_counter() - began)
            acknowledged = {"conversation_id": frame["conversation_id"], "seq": frame["seq"]}
            client.say(json.dumps({"type": "ack", **acknowledged}).encode())
        elif frame["type"] == "error":
            refused += 1

    clients = await asyncio.gather(*(connect(url, token, heard) for token in tokens))
    await asyncio.sleep(2)
    pipe.send("open")
    began, count = time.monotonic(), 0
    while (now := time.monotonic()) < began + seconds:
        due = began + count / RATE
        if due > now:
            await asyncio.sleep(due - now)
        number = random.randrange(len(clients))
        client_id = str(uuid4())
        sent[client_id] = time.perf_counter()
        frame = {
            "type": "send",
            "ref": client_id,
            "conversation_id": pairs[number // 2],
            "client_id": client_id,
            "kind": "text",
            "content": CONTENT,
        }
        clients[number].say(json.dumps(frame).encode())
        count += 1
    waited = time.monotonic()
    while sent and time.monotonic() < waited + LATE_SECONDS:  # noqa: ASYNC110 - it is over in a moment
        await asyncio.sleep(0.1)
    pipe.send((count, sorted(taken), len(sent), refused))


def _generator(*arguments: Any) -> None:
    uvloop.run(_generate(*arguments))


@contextmanager
def _small() -> Iterator[tuple[Stack, Cage]]:
    cage = Cage()
    try:
        with tempfile.TemporaryDirectory() as folder:
            # Longer than the run: to renew tokens is another figure (auth).
            settings = {
                "MESSENGER_AUTH__ACCESS_TOKEN": "7200",
                "MESSENGER_GATEWAY__CONNECTIONS_BY_ADDRESS": "0",
            }
            stack = Stack(Path(folder), "one", settings)
            process = stack.processes["messenger"]
            process.arguments = cage.within(process.arguments)
            with running(stack):
                yield stack, cage
    finally:
        cage.remove()


def run() -> list[Row]:
    """All rows."""
    seconds = float(os.environ.get("MESSENGER_SMALL_SECONDS", "3600"))
    with _small() as (stack, cage):
        bound = "in a cgroup of 512 MB" if cage.place is not None else "no cgroup could be made: not bounded"
        time.sleep(15)  # what a start leaves to do is done
        before = _processor(stack)
        time.sleep(IDLE_SECONDS)
        resting, idle = _processor(stack) - before, _memory(stack)
        users = people(stack, USERS)
        pairs = [users[number].direct(users[number + 1]) for number in range(0, USERS, 2)]
        for one in users:
            one.http.close()
        with generator(_generator, stack.url, [one.token for one in users], pairs, seconds) as (pipe, _):
            assert pipe.recv() == "open"
            before, most = _processor(stack), 0.0
            while not pipe.poll(5.0):
                most = max(most, sum(_memory(stack)))
            count, taken, lost, refused = pipe.recv()
            worked = _processor(stack) - before
        stored = sum(_stored(users[2 * number], pair) for number, pair in enumerate(pairs))
        return [
            Row(
                "CPU at rest, the whole",
                100 * resting / IDLE_SECONDS,
                "% of a core",
                "no client, 5 minutes",
            ),
            Row("memory at rest, the whole", idle.used, "MB", "what processes share counted once"),
            Row("the same, pages of program files", idle.mapped, "MB", "dropped where room is needed"),
            Row("messages", count, "", f"{USERS} users, {RATE:g}/s, {seconds:,.0f} s, {bound}"),
            Row("lost", count - stored + lost + refused, "", "not stored, not delivered or refused"),
            Row("send to delivery, median", 1000 * taken[len(taken) // 2], "ms"),
            Row("send to delivery, p99", 1000 * taken[int(len(taken) * 0.99)], "ms"),
            Row("CPU under this load, the whole", 100 * worked / seconds, "% of a core"),
            Row("peak memory, the whole", most, "MB", "with pages of program files"),
            Row("killed for want of memory", cage.kills, ""),
        ]


def _stored(person: Person, conversation_id: str) -> int:
    again = Person(person.url, session=person.session)
    try:
        found: int = again.ok("GET", f"/conversations/{conversation_id}")["last_seq"]
        return found
    finally:
        again.http.close()
