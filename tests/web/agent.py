"""Devices of the web client, at work in one Node process: what they are told to do, and what comes of it."""

import asyncio
import itertools
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from messenger.client import ClientError, Event, Message, Person, events
from messenger.client.records import FileInfo
from messenger.web.client.node import ROOT, Node

LONGEST = 60.0  # seconds that one command may take
MOST_LINE = 64 * 1024 * 1024


class Agent:
    """The process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            waiting = self._waiting.pop(said["id"], None)
            if waiting is None or waiting.done():
                continue
            if "error" in said:
                waiting.set_exception(_error(said["error"]))
            else:
                waiting.set_result(said["ok"])
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(RuntimeError("the agent has ended"))

    async def do(self, what: str, *, longest: float = LONGEST, **said: Any) -> Any:
        """Have a command done; what came of it. ClientError."""
        number = next(self._ids)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"id": number, "do": what, **said}).encode() + b"\n")
        await self._process.stdin.drain()
        try:
            return await asyncio.wait_for(waiting, longest)
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """End it."""
        assert self._process.stdin
        self._process.stdin.close()
        await self._process.wait()
        await self._reading


@asynccontextmanager
async def at_work(node: Node, bundles: Path, *, quick: bool) -> AsyncIterator[Agent]:
    """An agent; `quick`: passwords are derived by one hash."""
    environment = {**os.environ, **({"MESSENGER_QUICK": "1"} if quick else {})}
    process = await asyncio.create_subprocess_exec(
        *(*node.node, "--experimental-websocket", "--disable-warning=ExperimentalWarning"),
        str(bundles / "tests" / "agent.js"),
        cwd=ROOT,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=MOST_LINE,
    )
    agent = Agent(process)
    try:
        yield agent
        await agent.close()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _error(said: dict[str, str]) -> Exception:
    name = {"Refused": "ServerRefused", "Unreachable": "ServerUnreachable"}.get(said["name"], said["name"])
    if said["code"] == "error" and name not in ("ServerUnreachable", "BadAnswer"):
        return RuntimeError(said.get("stack") or said["message"])
    kind = type(name, (ClientError,), {})
    error = kind(said["message"], code=said["code"])
    return error if isinstance(error, Exception) else RuntimeError(name)


# what it says, as the Python client says it


def message_of(said: dict[str, Any]) -> Message:
    """A message."""
    file = said["file"]
    info = None
    if file is not None:
        info = FileInfo(
            id=file["file_id"], name=file["name"], size=file["size"], media_type=file["media_type"]
        )
    named = {one: said[one] for one in Message.__struct_fields__ if one in said}
    return Message(**{**named, "id": str(said["id"]), "file": info, "edited": said["edited"] > 0})


def event_of(said: dict[str, Any]) -> Event:
    """A durable event."""
    found = dict(said)
    if found.get("message") is not None:
        found["message"] = msgspec.to_builtins(message_of(found["message"]))
    if found.get("message_id") is not None:
        found["message_id"] = str(found["message_id"])
    return events.decode(json.dumps(found).encode())


class Device:
    """One device of the agent's, with what stories do of `Client`."""

    def __init__(self, agent: Agent, profile: str, facts: dict[str, str]) -> None:
        self.agent = agent
        self.profile = profile
        self.user_id, self.device_id = facts["userId"], facts["deviceId"]
        self.name = facts["username"]
        self.approved = False
        self.state = "offline"
        self.closed = False

    async def do(self, what: str, **said: Any) -> Any:
        """Have it do something."""
        return await self.agent.do(what, profile=self.profile, **said)

    async def look(self) -> None:
        """Have its state as it is now."""
        found = await self.do("state")
        self.state, self.approved = found["state"], found["approved"]

    async def close(self) -> None:
        """Have it stop."""
        self.closed = True
        await self.do("close")

    async def contact_link(self) -> str:
        return str(await self.do("link"))

    async def add_contact(self, link: str) -> Any:
        return await self.do("add_contact", link=link)

    async def user(self, username: str) -> Any:
        return await self.do("user", username=username)

    async def safety_number(self, username: str) -> Any:
        return await self.do("safety_number", username=username)

    async def device_code(self) -> str:
        return str(await self.do("code"))

    async def remove_device(self, device_id: str) -> Any:
        return await self.do("remove_device", device_id=device_id)

    async def direct(self, username: str) -> "Talk":
        return await self._talk(await self.do("direct", username=username))

    async def create_group(self, title: str, members: list[str]) -> "Talk":
        return await self._talk(await self.do("group", title=title, members=members))

    async def _talk(self, conversation_id: str) -> "Talk":
        return next(one for one in await self.conversations() if one.id == conversation_id)

    async def conversations(self) -> "list[Talk]":
        return [Talk(self, one) for one in await self.do("conversations")]

    async def fetch_file(self, message: Message, path: Path, longest: float = LONGEST) -> None:
        await self.do("fetch_file", message=int(message.id), path=str(path), longest=longest)

    async def events(self) -> list[Event]:
        """All durable events."""
        return [event_of(one) for one in await self.do("events")]


class Talk:
    """A conversation of a device's, with what stories do of `Conversation`."""

    def __init__(self, device: Device, said: dict[str, Any]) -> None:
        self._device = device
        self.id = said["conversation_id"]
        self.type = said["type"]
        self.title = said["title"]
        self.peer_id = said["peer_id"]
        self.peer_name = said["peer"]

    async def do(self, what: str, **said: Any) -> Any:
        return await self._device.do(what, talk=self.id, **said)

    async def look(self) -> list[Event]:
        return [event_of(one) for one in await self.do("look")]

    async def enqueue(self, text: str) -> Message:
        return message_of({**await self.do("enqueue", text=text), "sender": ""})

    async def send(self, text: str) -> Message:
        return message_of({**await self.do("send", text=text), "sender": ""})

    async def send_file(self, path: Path, longest: float = LONGEST) -> Message:
        said = await self.do("send_file", path=str(path), name=path.name, longest=longest)
        return message_of({**said, "sender": ""})

    async def remove(self, username: str) -> Any:
        return await self.do("remove_member", username=username)

    async def history(self, _limit: int = 1_000) -> list[Message]:
        return [message_of(one) for one in await self.do("history")]

    @property
    def peer(self) -> Person | None:
        return None if self.peer_id is None else Person(user_id=self.peer_id, username=self.peer_name)
