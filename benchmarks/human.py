"""10,000 people as they are in a busy hour: what each part of the system takes for them.

Each has one device, connected, and 30 direct conversations in which both have written, so that they see each
other come and go. Of 50 messages a day four fifths fall into eight hours: 5 an hour. Before one is sent its
writer types; it is acknowledged where it arrives and read a few seconds later. Twice an hour a device loses
its connection, and is back in a minute or so; four times it renews its token, and says so on its socket.
All of that happens at random moments, for `SECONDS`.

There are two instances of each service: a gateway has two sockets for each client, and many systems let a
process have 20,000.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from uuid import uuid4

import httpx
import uvloop

from benchmarks.client import Client, connect
from benchmarks.generator import generator
from benchmarks.report import Row
from benchmarks.sockets import CONVERSATIONS, allow_files, fill, settle
from benchmarks.system import people, processes, system
from tests.system.people import b64
from tests.system.stack import Stack

PEOPLE = 10_000
MESSAGES, LOSSES, RENEWALS = 5.0, 2.0, 4.0  # an hour, each
SECONDS = 240.0
TYPING_SECONDS = 3.0
READ_SECONDS = 5.0
AWAY_SECONDS = (20.0, 90.0)
CONTENT = b64(b"\x5a" * 512)
PARTS = ("gateway", "auth", "message", "key", "file", "postgres", "nats", "valkey")


class Crowd:
    """All devices; `sessions` are their access and refresh tokens, `pairs` conversations and their two."""

    def __init__(
        self, urls: list[str], sessions: list[tuple[str, str]], pairs: list[tuple[str, int, int]], http: Any
    ) -> None:
        self._urls = urls
        self._sessions = sessions
        self._pairs = pairs
        self._http: httpx.AsyncClient = http
        self._clients: list[Client | None] = [None] * len(sessions)
        self._tasks: set[asyncio.Task[None]] = set()
        self._acknowledged: set[str] = set()
        self._delivered: set[str] = set()
        self.counts: Counter[str] = Counter()

    async def gather(self) -> None:
        """Connect them all."""
        for start in range(0, len(self._sessions), 100):
            await asyncio.gather(
                *(self._connect(n) for n in range(start, min(start + 100, len(self._sessions))))
            )

    async def live(self, seconds: float) -> None:
        """Let them be people for so long."""
        deeds = (
            (MESSAGES, self._write),
            (LOSSES, self._lose),
            (RENEWALS, self._renew),
        )
        rates = [each * len(self._sessions) / 3600 for each, _ in deeds]
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, random.expovariate(sum(rates))))
            [(_, deed)] = random.choices(deeds, rates)
            self._begin(deed())

    async def end(self) -> int:
        """Let them do what they have begun; how many messages were acknowledged and not delivered."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        return len(self._acknowledged - self._delivered)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if task.exception() is not None:
            self.counts["failed"] += 1

    def _url(self, number: int) -> str:
        return self._urls[number % len(self._urls)]

    async def _connect(self, number: int) -> None:
        heard = self._hearing(number)
        self._clients[number] = await connect(self._url(number), self._sessions[number][0], heard)

    def _hearing(self, number: int) -> Callable[[Client, dict[str, Any]], None]:
        def heard(client: Client, frame: dict[str, Any]) -> None:
            kind = frame["type"]
            self.counts[kind] += 1
            if kind == "message":
                self._delivered.add(frame["client_id"])
                place = {"conversation_id": frame["conversation_id"], "seq": frame["seq"]}
                client.say(json.dumps({"type": "ack", **place}).encode())
                self._begin(self._read(number, place))
            elif kind == "sent":
                self._acknowledged.add(frame["ref"])

        return heard

    async def _read(self, number: int, place: dict[str, Any]) -> None:
        await asyncio.sleep(random.uniform(1, READ_SECONDS))
        self._say(number, {"type": "read", **place})

    def _say(self, number: int, frame: dict[str, Any]) -> bool:
        client = self._clients[number]
        if client is None:
            return False
        client.say(json.dumps(frame).encode())
        return True

    async def _write(self) -> None:
        conversation, *two = random.choice(self._pairs)
        number = random.choice(two)
        if not self._say(number, {"type": "typing", "conversation_id": conversation, "is_typing": True}):
            return
        await asyncio.sleep(TYPING_SECONDS)
        name = str(uuid4())
        frame = {
            "type": "send",
            "ref": name,
            "conversation_id": conversation,
            "client_id": name,
            "kind": "text",
            "content": CONTENT,
        }
        self._say(number, frame)

    async def _lose(self) -> None:
        number = random.randrange(len(self._clients))
        client, self._clients[number] = self._clients[number], None
        if client is None:
            return
        client.transport.abort()
        self.counts["losses"] += 1
        await asyncio.sleep(random.uniform(*AWAY_SECONDS))
        await self._connect(number)

    async def _renew(self) -> None:
        number = random.randrange(len(self._clients))
        if self._clients[number] is None:
            return
        body = {"refresh_token": self._sessions[number][1]}
        answer = await self._http.post(f"{self._url(number)}/api/v1/auth/refresh", json=body)
        if answer.status_code != 200:
            raise RuntimeError(answer.text)
        found = answer.json()
        self._sessions[number] = (found["access_token"], found["refresh_token"])
        self._say(number, {"type": "token", "ref": "t", "access_token": found["access_token"]})


async def _generate(
    urls: list[str], sessions: list[tuple[str, str]], pairs: list[tuple[str, int, int]], pipe: Any
) -> None:
    loop = asyncio.get_running_loop()
    wait: Callable[[], Awaitable[Any]] = lambda: loop.run_in_executor(None, pipe.recv)  # noqa: E731
    async with httpx.AsyncClient(timeout=30) as http:
        crowd = Crowd(urls, sessions, pairs, http)
        await crowd.gather()
        pipe.send("all are here")
        await wait()
        crowd.counts.clear()
        await crowd.live(SECONDS)
        pipe.send(dict(crowd.counts))
        pipe.send((await crowd.end(), crowd.counts["failed"] + crowd.counts["error"]))
        await wait()


def _generator(*arguments: Any) -> None:
    allow_files()
    uvloop.run(_generate(*arguments))


def _pairs(stack: Stack, numbers: dict[str, int]) -> list[tuple[str, int, int]]:
    """Each conversation and the numbers of its two; both have written."""
    connection = stack.database()
    with connection, connection.cursor() as cursor:
        cursor.execute("update message.members set wrote = true")
        cursor.execute(
            "select conversation_id::text, min(user_id::text), max(user_id::text)"
            " from message.members group by 1"
        )
        rows = cursor.fetchall()
    connection.close()
    return [(name, numbers[one], numbers[other]) for name, one, other in rows]


def run() -> list[Row]:
    """All rows."""
    allow_files()
    # Longer than the run: who renews is up to the crowd.
    with system(2, settings={"MESSENGER_AUTH__ACCESS_TOKEN": "7200"}) as stack:
        users = people(stack, PEOPLE)
        fill(stack, users)
        pairs = _pairs(stack, {one.user_id: number for number, one in enumerate(users)})
        sessions = [(one.token, one.session["refresh_token"]) for one in users]
        for one in users:
            one.http.close()
        with generator(_generator, stack.urls, sessions, pairs) as (pipe, _):
            assert pipe.recv() == "all are here"
            settle(stack)
            before, began = processes(stack), time.monotonic()
            pipe.send("live")
            counts = pipe.recv()
            seconds, after = time.monotonic() - began, processes(stack)
            lost, failed = pipe.recv()
            pipe.send("end")
    lived = f"{PEOPLE:,} people with {CONVERSATIONS} conversations each, {seconds:.0f} s, two instances"
    return [
        *(
            Row(f"human rate: {what}", counts.get(kind, 0) / seconds, "1/s", note)
            for what, kind, note in (
                ("messages delivered", "message", lived),
                ("receipts", "receipt", "heard"),
                ("typing", "typing", "heard"),
                ("presence", "presence", "heard"),
                ("connections lost", "losses", "and made again"),
                ("tokens renewed", "token", ""),
            )
        ),
        Row("human rate: acknowledged and not delivered", lost, ""),
        Row("human rate: refused or failed", failed, ""),
        *(
            Row(f"human rate: CPU, {name}", (after[name] - before[name]) / seconds * 100, "% of a core")
            for name in PARTS
        ),
    ]
