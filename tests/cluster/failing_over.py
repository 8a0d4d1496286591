"""People who talk while the database fails over, and do what the contract asks of a client then.

Each sends numbered messages, one at a time, each again until it is answered for. A `hello` with another epoch
than the one before has it send again, under the same `client_id`s, all that was answered for; a message that
came before is the same one at another place.
"""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.system.people import Person, b64

EVERY = 0.02


@dataclass
class Talker:
    """One person on one socket, which comes back by itself. `got` has when what came, by client_id, and
    `places` where it stands now."""

    person: Person
    url: str
    conversation: str
    waits: list[str] = field(default_factory=list)  # what is to be sent, by client_id, in order
    answered: dict[str, float] = field(default_factory=dict)  # when each was last answered for
    numbers: dict[str, int] = field(default_factory=dict)
    got: dict[str, list[float]] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    epochs: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    closes: list[int] = field(default_factory=list)
    talking: bool = True
    _answers: dict[str, "asyncio.Future[dict[str, Any]]"] = field(default_factory=dict)

    async def run(self) -> None:
        """Talk until told otherwise, and hear until it is cancelled."""
        while True:
            try:
                async with connect(
                    self.url.replace("http", "ws", 1) + "/ws",
                    additional_headers={"Authorization": f"Bearer {self.person.token}"},
                    ping_interval=None,
                    compression=None,
                    open_timeout=5,
                ) as socket:
                    await self._connected(socket)
            except ConnectionClosed as error:
                self.closes.append(error.rcvd.code if error.rcvd else 1006)
            except (OSError, TimeoutError, InvalidHandshake):
                await asyncio.sleep(0.1)

    async def _connected(self, socket: ClientConnection) -> None:
        hello = json.loads(await socket.recv())
        if self.epochs and hello["epoch"] != self.epochs[-1]:
            self.waits = list(dict.fromkeys([*self.answered, *self.waits]))
        if not self.epochs or hello["epoch"] != self.epochs[-1]:
            self.epochs.append(hello["epoch"])
        sending = asyncio.create_task(self._send(socket))
        seq = 0
        try:
            while True:
                found = json.loads(await socket.recv())
                for frame in found if isinstance(found, list) else [found]:
                    if frame["type"] in ("sent", "error"):
                        waiting = self._answers.pop(frame["ref"] or "", None)
                        if waiting is not None and not waiting.done():
                            waiting.set_result(frame)
                    elif frame["type"] == "message":
                        if frame["seq"] <= seq:
                            self.wrong.append(f"place {frame['seq']} after {seq} on one socket")
                        seq = frame["seq"]
                        self.got.setdefault(frame["client_id"], []).append(time.monotonic())
                        self.places[frame["client_id"]] = seq
                        ack = {"type": "ack", "conversation_id": self.conversation, "seq": seq}
                        await socket.send(json.dumps(ack))
        finally:
            sending.cancel()
            self._answers.clear()

    async def _send(self, socket: ClientConnection) -> None:
        while self.talking or self.waits:
            if not self.waits:
                client_id = str(uuid4())
                self.numbers[client_id] = len(self.numbers)
                self.waits.append(client_id)
            client_id = self.waits[0]
            answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
            self._answers[client_id] = answer
            frame = {
                "type": "send",
                "ref": client_id,
                "conversation_id": self.conversation,
                "client_id": client_id,
                "kind": "text",
                "content": b64(str(self.numbers[client_id]).encode()),
            }
            await socket.send(json.dumps(frame))
            found = await answer
            if found["type"] == "sent":
                self.answered[client_id] = time.monotonic()
                self.waits.remove(client_id)
                await asyncio.sleep(EVERY)
            else:
                await asyncio.sleep(0.05)


async def ready_again(url: str, seconds: float = 30.0) -> float:
    """Seconds until `/ready` says yes."""
    began = time.monotonic()
    async with httpx.AsyncClient(timeout=5) as client:
        while time.monotonic() - began < seconds:
            try:
                if (await client.get(f"{url}/ready")).status_code == 200:
                    return time.monotonic() - began
            except httpx.TransportError:
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.02)
    raise AssertionError(f"{url} is not ready after {seconds:g} s")


def stored(person: Person, conversation: str) -> list[str]:
    """The client_ids of all messages, by their places."""
    found: list[str] = []
    cursor = 0
    while True:
        path = f"/conversations/{conversation}/messages?after={cursor}&limit=200"
        page = person.ok("GET", path)["items"]
        if not page:
            return found
        found += [one["client_id"] for one in page]
        assert [one["seq"] for one in page] == list(range(cursor + 1, cursor + 1 + len(page)))
        cursor = page[-1]["seq"]


async def finish(talkers: list[Talker], seconds: float = 60.0) -> None:
    """Have them stop talking; return once all is answered for and has come, or after so many seconds."""
    for one in talkers:
        one.talking = False
    one, other = talkers
    for _ in range(int(seconds * 10)):
        lacks = one.numbers.keys() - other.got, other.numbers.keys() - one.got
        if not (one.waits or other.waits or lacks[0] or lacks[1]):
            return
        await asyncio.sleep(0.1)
    print(f"{len(lacks[0])} and {len(lacks[1])} have not come")
