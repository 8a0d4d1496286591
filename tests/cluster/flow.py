"""Two people who talk all the time, each on a message instance of their own, and what a fault costs them.

Each sends a numbered message every EVERY seconds; each message has to reach the other once, in order. Beside
that `/ready` of both instances is asked all the time.
"""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.system.people import Person, b64
from tests.system.stack import Stack

EVERY = 0.02
BEFORE = 1.0  # what was stored that long before a fault may still be on its way
LAST_SECONDS = 20.0


@dataclass
class Direction:
    """What one sent and the other got; times are of the monotonic clock, by the message's number."""

    sent: dict[str, float] = field(default_factory=dict)
    stored: dict[str, float] = field(default_factory=dict)
    got: dict[str, float] = field(default_factory=dict)
    seqs: list[int] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)

    def worst(self, begin: float, end: float) -> float:
        """The longest that a message stored between these times took from there to the other, in seconds."""
        return max(
            (self.got[one] - at for one, at in self.stored.items() if begin <= at <= end and one in self.got),
            default=0.0,
        )


class Flow:
    """The talk of `ann` on message-1 with `ben` on message-2."""

    def __init__(self, stack: Stack) -> None:
        self.ann, self.ben = Person(stack.urls[0], "ann"), Person(stack.urls[-1], "ben")
        self.conversation = self.ann.direct(self.ben)
        self._places = [f"127.0.0.1:{stack.ports[f'message-{number}']}" for number in (1, 2)]
        self.directions = [Direction(), Direction()]
        self.unready: list[tuple[float, str]] = []
        self._faults: list[tuple[float, str]] = []
        self._talking = True
        self._tasks: list[asyncio.Task[None]] = []
        self._sockets: list[ClientConnection] = []

    async def __aenter__(self) -> "Flow":
        for place, person in zip(self._places, (self.ann, self.ben), strict=True):
            socket = await connect(
                f"ws://{place}/ws",
                additional_headers={"Authorization": f"Bearer {person.token}"},
                ping_interval=None,
                compression=None,
            )
            self._sockets.append(socket)
        synced = [asyncio.Event(), asyncio.Event()]
        for number, socket in enumerate(self._sockets):
            self._run(self._hear(socket, number, synced[number]))
        await asyncio.gather(*(one.wait() for one in synced))
        for number, socket in enumerate(self._sockets):
            self._run(self._talk(socket, self.directions[number]))
        for place in self._places:
            self._run(self._ask(place))
        return self

    def _run(self, coroutine: Any) -> None:
        self._tasks.append(asyncio.create_task(coroutine))

    async def __aexit__(self, *_: object) -> None:
        """Stop talking, and wait until all has come, or it has taken too long."""
        self._talking = False
        deadline = time.monotonic() + LAST_SECONDS
        while time.monotonic() < deadline and any(len(one.got) < len(one.sent) for one in self.directions):  # noqa: ASYNC110 - two sockets move it
            await asyncio.sleep(0.05)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in self._sockets:
            await socket.close()

    async def _talk(self, socket: ClientConnection, direction: Direction) -> None:
        while self._talking:
            name = str(uuid4())
            direction.sent[name] = time.monotonic()
            frame = {
                "type": "send",
                "ref": name,
                "conversation_id": self.conversation,
                "client_id": name,
                "kind": "text",
                "content": b64(b"ciphertext"),
            }
            await socket.send(json.dumps(frame))
            await asyncio.sleep(EVERY)

    async def _hear(self, socket: ClientConnection, number: int, synced: asyncio.Event) -> None:
        own, other = self.directions[number], self.directions[1 - number]
        async for raw in socket:
            now = time.monotonic()
            decoded = json.loads(raw)
            for frame in decoded if isinstance(decoded, list) else [decoded]:
                match frame["type"]:
                    case "synced":
                        synced.set()
                    case "sent":
                        own.stored[frame["ref"]] = now
                    case "message":
                        other.got[frame["client_id"]] = now
                        other.seqs.append(frame["seq"])
                    case "error":
                        own.errors.append(frame)

    async def _ask(self, place: str) -> None:
        async with httpx.AsyncClient(timeout=5) as http:
            while True:
                answer = await http.get(f"http://{place}/ready")
                if answer.status_code != 200:
                    self.unready.append((time.monotonic(), answer.text))
                await asyncio.sleep(0.1)

    def judge(self) -> None:
        """AssertionError unless all that was sent was stored and came once, in order."""
        for one in self.directions:
            assert not one.errors, one.errors[:3]
            assert set(one.sent) == set(one.stored) == set(one.got), "messages were lost"
            assert one.seqs == sorted(set(one.seqs)), "messages came twice, or out of order"

    def fault(self, name: str) -> None:
        """What comes from now on is put down to this."""
        self._faults.append((time.monotonic(), name))

    def costs(self) -> list[tuple[str, float, list[str]]]:
        """For each fault the longest delivery in seconds, and what `/ready` said where it was no yes."""
        ends = [begin for begin, _ in self._faults[1:]] + [float("inf")]
        found = []
        for (begin, name), end in zip(self._faults, ends, strict=True):
            worst = max(one.worst(begin - BEFORE, end - BEFORE) for one in self.directions)
            found.append((name, worst, [text for at, text in self.unready if begin <= at < end]))
        return found
