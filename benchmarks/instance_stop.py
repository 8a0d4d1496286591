"""One of two message instances stops while it has 5,000 sockets: when all are synced again on the other, and
what that costs those who were on the other all along.

Clients come back through the gateway after a random time of up to `reconnect_spread` seconds, as `/info` asks
of them, and then with the contract's back-off. `PAIRS` people on the other instance send `RATE` messages a
second each, before and meanwhile.
"""

import asyncio
import os
import random
import re
import resource
import time
from typing import Any
from uuid import uuid4

import httpx
import uvloop

from benchmarks.client import Client, connect
from benchmarks.cpu import cpu_seconds
from benchmarks.generator import generator
from benchmarks.report import Row
from benchmarks.system import people, system
from tests.system.people import PASSWORD, b64
from tests.system.stack import Stack

USERS = 500
DEVICES = 10
PAIRS = 20
RATE = 5.0
CALM_SECONDS = 15.0
LONGEST_SECONDS = 120.0
SPREAD_SECONDS = 10.0  # the default of [gateway] reconnect_spread
FIRST_RETRY, LAST_RETRY = 1.0, 60.0
RETRY_AFTER = re.compile(r"Retry-After: ([0-9]+)", re.IGNORECASE)
CONTENT = b64(b"\x5a" * 512)


def _heard(_client: Client, _frame: dict[str, Any]) -> None:
    return


class _Wanderer(Client):
    """A socket that tells when it is lost."""

    def __init__(self, token: str) -> None:
        super().__init__(token, _heard)
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self.lost.done():
            self.lost.set_result(None)


async def _open(url: str, token: str) -> _Wanderer:
    host, _, port = url.removeprefix("http://").partition(":")
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: _Wanderer(token), host, int(port))
    try:
        await asyncio.wait_for(client.synced, 30)
    except TimeoutError:
        client.transport.abort()
        raise
    return client


async def _come_back(first: _Wanderer, token: str, url: str, synced: list[float]) -> None:
    await first.lost
    wait = random.uniform(0, SPREAD_SECONDS)
    retry = FIRST_RETRY
    while True:
        await asyncio.sleep(wait)
        try:
            await _open(url, token)
        except (OSError, RuntimeError, TimeoutError) as error:
            asked = RETRY_AFTER.search(str(error))
            wait = random.uniform(0, retry) + (float(asked[1]) if asked else 0.0)
            retry = min(LAST_RETRY, 2 * retry)
            continue
        synced.append(time.monotonic())
        return


async def _wander(place: str, url: str, tokens: list[str], pipe: Any) -> None:
    os.nice(19)  # thousands of other machines: their own work must not take the processor from the system
    clients: list[_Wanderer] = []
    for start in range(0, len(tokens), 100):
        clients += await asyncio.gather(*(_open(place, token) for token in tokens[start : start + 100]))
    synced: list[float] = []
    tasks = [_come_back(one, token, url, synced) for one, token in zip(clients, tokens, strict=True)]
    gathered = asyncio.gather(*tasks)
    pipe.send(len(clients))
    await asyncio.wait([asyncio.ensure_future(gathered)], timeout=LONGEST_SECONDS + CALM_SECONDS)
    pipe.send(sorted(synced))


async def _stand_by(place: str, pairs: list[tuple[str, str]], pipe: Any) -> None:
    sent: dict[str, float] = {}
    took: list[float] = []

    def heard(_client: Client, frame: dict[str, Any]) -> None:
        if frame["type"] == "sent":
            took.append(time.perf_counter() - sent.pop(frame["ref"]))

    async def send(client: Client, conversation: str, number: int) -> None:
        await asyncio.sleep(number / PAIRS / RATE)
        while True:
            name = str(uuid4())
            sent[name] = time.perf_counter()
            client.say(
                f'{{"type":"send","ref":"{name}","conversation_id":"{conversation}",'
                f'"client_id":"{name}","kind":"text","content":"{CONTENT}"}}'.encode()
            )
            await asyncio.sleep(1 / RATE)

    clients = [await connect(place, token, heard) for token, _ in pairs]
    sending = [
        asyncio.ensure_future(send(client, name, number))
        for number, (client, (_, name)) in enumerate(zip(clients, pairs, strict=True))
    ]
    pipe.send("begin")
    while await asyncio.get_running_loop().run_in_executor(None, pipe.recv) == "tell":
        found = sorted(took)
        took.clear()
        pipe.send((found[int(len(found) * 0.99)] if found else 0.0, len(found)))
    for task in sending:
        task.cancel()


def _generate(target: Any, *arguments: Any) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(target(*arguments))


def _devices(url: str, names: list[str]) -> list[str]:
    """The tokens of all further devices of these users."""
    found: list[str] = []
    with httpx.Client(base_url=f"{url}/api/v1", timeout=30) as client:
        for name in names * (DEVICES - 1):
            answer = client.post("/auth/login", json={"username": name, "password": PASSWORD})
            found.append(answer.raise_for_status().json()["access_token"])
    return found


def _cpu(stack: Stack) -> dict[str, float]:
    """CPU seconds so far of those that have the work when sockets come back."""
    found = {
        name: cpu_seconds(stack.processes[name].pid) for name in ("message-1", "gateway-1", "auth-1", "key-1")
    }
    return {**found, "PostgreSQL": cpu_seconds(stack.engine("postgres").pid, whole_family=True)}


def run() -> list[Row]:
    """All rows."""
    with system(instances=2) as stack:
        users = people(stack, USERS)
        for one, other in zip(users[::2], users[1::2], strict=True):
            one.direct(other)
        tokens = [one.token for one in users] + _devices(stack.url, [one.username for one in users])
        talkers = people(stack, 2 * PAIRS)
        pairs = [
            (one.token, one.direct(other)) for one, other in zip(talkers[::2], talkers[1::2], strict=True)
        ]
        staying, leaving = (f"http://127.0.0.1:{stack.ports[f'message-{number}']}" for number in (1, 2))
        with (
            generator(_generate, _stand_by, staying, pairs) as (bystanders, _),
            generator(_generate, _wander, leaving, stack.url, tokens) as (wanderers, _),
        ):
            assert bystanders.recv() == "begin"
            assert wanderers.recv() == len(tokens)
            bystanders.send("tell")
            bystanders.recv()
            time.sleep(CALM_SECONDS)
            bystanders.send("tell")
            calm, _ = bystanders.recv()
            before = _cpu(stack)
            begin = time.monotonic()
            stack.processes["message-2"].terminate()
            synced = wanderers.recv()
            cost = {name: seconds - before[name] for name, seconds in _cpu(stack).items()}
            bystanders.send("tell")
            busy, count = bystanders.recv()
            bystanders.send("end")
        stack.restart("message-2")
    back = len(synced)
    return [
        Row("sockets that came back", back, "", f"of {len(tokens)}, within {LONGEST_SECONDS:.0f} s"),
        Row("half of them were synced after", synced[back // 2] - begin, "s"),
        Row("all of them were synced after", synced[-1] - begin, "s"),
        *(
            Row(f"CPU of {name}, a socket that came back", seconds / back * 1e6, "µs")
            for name, seconds in cost.items()
        ),
        Row("a bystander's send before, p99", calm * 1000, "ms"),
        Row("a bystander's send meanwhile, p99", busy * 1000, "ms", f"{busy / calm:.1f} ×, {count} sends"),
    ]
