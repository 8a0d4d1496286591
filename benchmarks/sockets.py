"""5,000 idle sockets: memory for each in the gateway and in the message service, and CPU at rest."""

import asyncio
import resource
import time
from typing import Any

import uvloop

from benchmarks.client import Client, connect
from benchmarks.cpu import memory_bytes
from benchmarks.generator import generator
from benchmarks.report import Row
from benchmarks.system import people, processes, system

SOCKETS = 5_000
REST_SECONDS = 20.0
USERS = 500
DEVICES = 10


async def _generate(url: str, tokens: list[str], pipe: Any) -> None:
    def heard(_client: Client, _frame: dict[str, Any]) -> None:
        return

    clients = []
    for start in range(0, len(tokens), 100):
        batch = tokens[start : start + 100]
        clients += await asyncio.gather(*(connect(url, token, heard) for token in batch))
    pipe.send(len(clients))
    await asyncio.get_running_loop().run_in_executor(None, pipe.recv)


def _generator(*arguments: Any) -> None:
    _allow_files()
    uvloop.run(_generate(*arguments))


def _allow_files() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run() -> list[Row]:
    """All rows."""
    _allow_files()
    with system() as stack:
        users = people(stack, USERS)
        tokens = [one.token for one in users]
        for one in users:
            tokens += [one.another_device().token for _ in range(DEVICES - 1)]
        pids = {name: stack.processes[f"{name}-1"].pid for name in ("gateway", "message")}
        before = {name: memory_bytes(pid) for name, pid in pids.items()}
        with generator(_generator, stack.url, tokens) as (pipe, _):
            assert pipe.recv() == SOCKETS
            time.sleep(2)  # what opening them left to do is done
            after = {name: memory_bytes(pid) for name, pid in pids.items()}
            resting = processes(stack)
            time.sleep(REST_SECONDS)
            rested = processes(stack)
            pipe.send("end")
    each = {name: (after[name] - before[name]) / SOCKETS / 1024 for name in pids}
    return [
        Row("an idle socket: memory, gateway", each["gateway"], "KB"),
        Row("an idle socket: memory, message", each["message"], "KB"),
        Row("an idle socket: memory, both", sum(each.values()), "KB"),
        *(
            Row(
                f"{SOCKETS} idle sockets: CPU, {name}",
                (rested[name] - resting[name]) / REST_SECONDS * 100,
                "%",
            )
            for name in ("gateway", "message", "postgres")
        ),
    ]
