"""Clients at work: they write, read, acknowledge or don't, come and go, and come back when they are cut off.

Each `Client` is one device with one socket at a time, on a gateway of its choice, header or ticket as it
comes. What is not answered is sent again under the same client_id, on the next socket or after a while on
the same one.
"""

import asyncio
import base64
import json
import random
import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.system.checker.history import Event, History
from tests.system.people import Person, b64

AGAIN_SECONDS = 4.0
UNANSWERED = 8
TRY_AGAIN = frozenset({"unavailable", "internal", "rate_limited", "gateway_timeout", "bad_gateway"})
# What a client meets while the system is being broken.
AWAY = (OSError, WebSocketException, TimeoutError, httpx.HTTPError, json.JSONDecodeError)


@dataclass
class Unanswered:
    """A message that is not answered yet."""

    frame: dict[str, Any]
    event: Event
    by_http: bool
    tried: float = 0.0


class Room:
    """A conversation as the workload knows it. `sealed`: its messages bear an envelope for each device."""

    def __init__(self, name: str, keeper: "Client", members: list[str], sealed: list[str] | None) -> None:
        self.name = name
        self.keeper = keeper
        self.members = members
        self.sealed = sealed


class Client:
    """One device. It acknowledges with probability `diligence` after each WebSocket message."""

    _sockets = count(1)

    def __init__(
        self,
        person: Person,
        urls: list[str],
        history: History,
        http: httpx.AsyncClient,
        randomness: random.Random,
        diligence: float,
    ) -> None:
        self.person = person
        self.user = person.user_id
        self.device = person.device_id
        self.rooms: list[Room] = []
        self.highest: dict[str, int] = defaultdict(int)
        self.unanswered: dict[str, Unanswered] = {}
        self._known: dict[str, Unanswered] = {}  # answered or refused
        self.connection: ClientConnection | None = None
        self.synced = asyncio.Event()
        self._urls = urls
        self._history = history
        self._http = http
        self._random = randomness
        self._diligence = diligence
        self._stopping = False
        self._written = 0
        self._headers = {"Authorization": f"Bearer {person.token}"}
        history.note("device", device=self.device, user=self.user)

    # the socket

    async def run(self) -> None:
        """Keep a socket open until `close`."""
        self._stopping = False
        while not self._stopping:
            try:
                await self._one_socket()
            except AWAY:
                await asyncio.sleep(self._random.uniform(0.05, 0.5))

    async def _one_socket(self) -> None:
        url = self._random.choice(self._urls)
        headers, query = self._headers, ""
        if self._random.random() < 0.2:
            answer = await self._http.post(f"{url}/api/v1/auth/ticket", headers=headers)
            if answer.status_code == 201:
                headers, query = {}, f"?ticket={answer.json()['ticket']}"
        connection = await connect(
            f"{url.replace('http', 'ws', 1)}/ws{query}",
            additional_headers=headers,
            open_timeout=10,
            close_timeout=2,
            ping_interval=None,
            max_size=None,
            compression=None,
        )
        number = next(self._sockets)
        self._history.note("open", socket=number, device=self.device, url=url)
        try:
            async for raw in connection:
                decoded = json.loads(raw)
                frames = decoded if isinstance(decoded, list) else [decoded]
                for frame in frames:
                    await self._hear(connection, number, frame)
                await self._acknowledge(connection, number, frames)
        finally:
            # Whoever cuts it off ends it here, though its task hears of that a moment later.
            self._history.note("close", socket=number, device=self.device, code=connection.close_code)
            self.connection = None
            self.synced.clear()

    async def _hear(self, connection: ClientConnection, number: int, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "hello":
                self.connection = connection
                for waiting in list(self.unanswered.values()):
                    if not waiting.by_http:
                        await self._try(waiting)
            case "synced":
                self._history.note("synced", socket=number, device=self.device)
                self.synced.set()
            case "message":
                name, seq = frame["conversation_id"], frame["seq"]
                self.highest[name] = max(self.highest[name], seq)
                self._history.note(
                    "received",
                    socket=number,
                    device=self.device,
                    conversation=name,
                    seq=seq,
                    sender=frame["sender_device_id"],
                    client_id=frame["client_id"],
                    content=text(frame),
                )
            case "change":
                self._history.note(
                    "change",
                    socket=number,
                    device=self.device,
                    conversation=frame["conversation_id"],
                    change=frame["change"],
                    event=frame["event"],
                    at_seq=frame["at_seq"],
                )
            case "sent":
                self._answered(frame["ref"], frame)
            case "error":
                self._refused(frame["ref"], frame["code"])

    async def _acknowledge(
        self, connection: ClientConnection, number: int, frames: list[dict[str, Any]]
    ) -> None:
        if self._random.random() >= self._diligence:
            return
        heads: dict[str, dict[str, int]] = defaultdict(dict)
        for frame in frames:
            if frame["type"] in ("message", "change"):
                kind = "seq" if frame["type"] == "message" else "change"
                heads[frame["conversation_id"]][kind] = frame[kind]
        acks = [{"type": "ack", "conversation_id": name, **head} for name, head in heads.items()]
        if not acks:
            return
        for name, head in heads.items():
            if "seq" in head and self._random.random() < 0.3:
                acks.append({"type": "read", "conversation_id": name, "seq": head["seq"]})
        await connection.send(json.dumps(acks))
        for name, head in heads.items():
            if "seq" in head:
                self._history.note(
                    "ack", socket=number, device=self.device, conversation=name, seq=head["seq"]
                )

    def cut(self) -> None:
        """Abort the connection, as a network does: no close frame, no FIN."""
        if self.connection is not None:
            self.connection.transport.abort()

    async def close(self) -> None:
        """Close the socket for good."""
        self._stopping = True
        if self.connection is not None:
            await self.connection.close()

    async def leave(self) -> None:
        """Close the socket cleanly; `run` opens another."""
        if self.connection is not None:
            await self.connection.close()

    # messages

    async def write(self, room: Room) -> None:
        """Send a message of a content that there is no second of, unless many are unanswered."""
        if len(self.unanswered) >= UNANSWERED:
            return
        self._written += 1
        content = f"{self.device} {self._written}"
        client_id = str(uuid4())
        draft: dict[str, Any] = {"client_id": client_id, "kind": "text"}
        if room.sealed is None:
            draft["content"] = b64(content.encode())
        else:
            others = [name for name in room.sealed if name != self.device]
            draft["envelopes"] = [
                {"device_id": name, "content": b64(f"{content} for {name}".encode())} for name in others
            ]
        event = self._history.note(
            "send",
            device=self.device,
            conversation=room.name,
            client_id=client_id,
            content=content,
            sealed=room.sealed is not None,
        )
        waiting = Unanswered(draft, event, self._random.random() < 0.1)
        self.unanswered[client_id] = waiting
        await self._try(waiting)

    async def _try(self, waiting: Unanswered) -> None:
        waiting.tried = time.monotonic()
        name = waiting.event["conversation"]
        try:
            if waiting.by_http:
                await self._try_by_http(waiting, name)
            elif self.connection is not None:
                ref = waiting.frame["client_id"]
                frame = {"type": "send", "ref": ref, "conversation_id": name, **waiting.frame}
                await self.connection.send(json.dumps(frame))
        except AWAY:
            return  # to be sent again

    async def _try_by_http(self, waiting: Unanswered, name: str) -> None:
        url = self._random.choice(self._urls)
        path = f"{url}/api/v1/conversations/{name}/messages"
        answer = await self._http.post(path, headers=self._headers, json=waiting.frame)
        if answer.status_code in (200, 201):
            self._answered(waiting.frame["client_id"], answer.json())
        elif answer.headers.get("Content-Type", "").startswith("application/problem+json"):
            self._refused(waiting.frame["client_id"], answer.json()["code"])

    async def try_again(self) -> None:
        """Send again what has waited for long."""
        for waiting in list(self.unanswered.values()):
            if time.monotonic() - waiting.tried > AGAIN_SECONDS:
                await self._try(waiting)

    def _answered(self, client_id: str, answer: dict[str, Any]) -> None:
        # A message that was tried twice is answered for twice; both answers are judged.
        waiting = self.unanswered.pop(client_id, None)
        if waiting is not None:
            self._known[client_id] = waiting
        else:
            waiting = self._known[client_id]
        name, seq = waiting.event["conversation"], answer["seq"]
        self.highest[name] = max(self.highest[name], seq)
        self._history.note(
            "sent",
            device=self.device,
            conversation=name,
            client_id=client_id,
            seq=seq,
            created_at=answer["created_at"],
        )

    def _refused(self, client_id: str, code: str) -> None:
        if client_id in self.unanswered and code not in TRY_AGAIN:
            waiting = self.unanswered.pop(client_id)
            self._known[client_id] = waiting
            self._history.note(
                "refused",
                device=self.device,
                conversation=waiting.event["conversation"],
                client_id=client_id,
                code=code,
            )

    # membership

    async def change_members(self, room: Room, method: str, user: str) -> None:
        """Add a user to a group, remove it from there, or leave."""
        path = f"{self._random.choice(self._urls)}/api/v1/conversations/{room.name}/members"
        try:
            if method == "add":
                answer = await self._http.post(path, headers=self._headers, json={"user_id": user})
            else:
                answer = await self._http.delete(f"{path}/{user}", headers=self._headers)
        except AWAY:
            return
        if answer.status_code in (201, 204):
            event = "member_added" if method == "add" else "member_removed"
            self._history.note("member", conversation=room.name, user=user, event=event)

    # the end

    async def read(self, room: Room) -> Event:
        """A conversation's whole history and all its changes, as this device is shown them."""
        base = f"{self._urls[0]}/api/v1/conversations/{room.name}"
        messages = [
            {
                "seq": one["seq"],
                "device": one["sender_device_id"],
                "client_id": one["client_id"],
                "content": text(one),
            }
            for one in await self._pages(f"{base}/messages")
        ]
        for one in messages:
            if room.sealed is not None and one["content"] is not None:
                one["content"] = one["content"].partition(" for ")[0]
        changes = [
            {
                "change": one["change"],
                "at_seq": one["at_seq"],
                "event": one["event"],
                "user_id": one.get("user_id"),
            }
            for one in await self._pages(f"{base}/changes")
        ]
        answer = await self._http.get(base, headers=self._headers)
        head = answer.raise_for_status().json()
        return self._history.note(
            "truth",
            conversation=room.name,
            members=room.members,
            messages=messages,
            changes=changes,
            last_seq=head["last_seq"],
            last_change=head["last_change"],
        )

    async def _pages(self, url: str) -> list[dict[str, Any]]:
        query: dict[str, Any] = {"after": 0, "limit": 200}
        found = []
        while True:
            answer = await self._http.get(url, headers=self._headers, params=query)
            page = answer.raise_for_status().json()
            found += page["items"]
            if page["next"] is None:
                return found
            query["cursor"] = page["next"]


def text(message: dict[str, Any]) -> str | None:
    """A message's content or envelope, as text."""
    sealed = message["content"] if message["content"] is not None else message["envelope"]
    return None if sealed is None else base64.b64decode(sealed).decode()
