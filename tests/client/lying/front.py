"""HTTP/1.1 and WebSockets on one port of loopback: bytes in, bytes out, and nothing of a messenger.

`app` answers; it may be exchanged while the port stays, which profiles have written down. `activity` rises
with each request, answer and frame, `busy` is how many requests are being answered: by both, a test knows
when all is quiet.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from websockets.exceptions import InvalidHandshake
from websockets.frames import Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from messenger.wire import frames

LARGEST_HEAD = 65_536
_REASONS = {200: "OK", 201: "Created", 204: "No Content"}


@dataclass(slots=True)
class Ask:
    """A request. `path` is that below `/api/v1`; `ids` are what a route finds in it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    ids: tuple[str, ...] = ()


@dataclass(slots=True)
class Answer:
    """What is answered: JSON bytes, or those of `media_type`."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


class App(Protocol):
    """Who answers."""

    def request(self, ask: Ask) -> Answer:
        """The answer to a request."""

    def admit(self, wire: "Wire", authorization: str) -> bool:
        """Whether a WebSocket may be opened."""

    def connect(self, wire: "Wire") -> None:
        """It is open."""

    def receive(self, wire: "Wire", raw: bytes) -> None:
        """A text has come."""

    def disconnect(self, wire: "Wire") -> None:
        """It is closed."""

    def overhear(self, raw: bytes) -> None:
        """Bytes that a client has sent."""


class Wire:
    """One WebSocket."""

    def __init__(self, front: "Front", writer: asyncio.StreamWriter) -> None:
        self._front = front
        self._writer = writer
        self.protocol = ServerProtocol(subprotocols=[Subprotocol(frames.SUBPROTOCOL)], max_size=None)
        self.owner: Any = None  # the app's

    def say(self, found: list[dict[str, Any]]) -> None:
        """Send frames in one text."""
        if found and not self._writer.is_closing():
            self._front.activity += 1
            self.protocol.send_text(json.dumps(found[0] if len(found) == 1 else found).encode())
            self.flush()

    def close(self, code: int, reason: str = "") -> None:
        """Close it."""
        if not self._writer.is_closing():
            self._front.activity += 1
            self.protocol.send_close(code, reason)
            self.flush()

    def abort(self) -> None:
        """Break it."""
        self._front.activity += 1
        self._writer.transport.abort()

    def flush(self) -> None:
        """Write what the protocol has to say."""
        for part in self.protocol.data_to_send():
            if part:
                self._writer.write(part)
            elif self._writer.can_write_eof():
                with suppress(OSError):
                    self._writer.write_eof()


class Front:
    """The port. `url` is its address."""

    def __init__(self) -> None:
        self.app: App | None = None
        self.url = ""
        self.activity = 0
        self.busy = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    if head.startswith((b"GET /ws ", b"GET /ws?")):
                        await self._socket(head, reader, writer)
                        return
                    await self._request(head, reader, writer)
        finally:
            writer.close()

    async def _request(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.busy += 1
        try:
            first, *lines = head.decode("latin-1").split("\r\n")
            method, target, _ = first.split(" ", 2)
            pairs = (line.partition(":") for line in lines if line)
            headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            parts = urlsplit(target)
            path = unquote(parts.path).removeprefix("/api/v1")
            app = self.app
            assert app is not None
            app.overhear(head + body)
            answer = app.request(Ask(method, path, dict(parse_qsl(parts.query)), headers, body))
            reply = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'No')}"]
            if answer.status != 204:
                reply.append(f"Content-Length: {len(answer.body)}")
                reply.append(f"Content-Type: {answer.media_type}")
            reply += [f"{name}: {value}" for name, value in answer.headers.items()]
            writer.write("\r\n".join([*reply, "", ""]).encode("latin-1") + answer.body)
            await writer.drain()
        finally:
            self.busy -= 1
            self.activity += 1

    async def _socket(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(self, writer)
        app = self.app
        assert app is not None
        self.activity += 1
        app.overhear(head)
        wire.protocol.receive_data(head)
        request = next(one for one in wire.protocol.events_received() if isinstance(one, Request))
        try:
            wire.protocol.process_request(request)
        except InvalidHandshake:
            return
        if not app.admit(wire, _token(request)):
            wire.protocol.send_response(wire.protocol.reject(401, "no"))
            wire.flush()
            return
        wire.protocol.send_response(wire.protocol.accept(request))
        wire.flush()
        app.connect(wire)
        try:
            while data := await reader.read(65_536):
                wire.protocol.receive_data(data)
                for frame in wire.protocol.events_received():
                    if getattr(frame, "opcode", None) is Opcode.TEXT:
                        self.activity += 1
                        app.overhear(bytes(frame.data))
                        app.receive(wire, bytes(frame.data))
                wire.flush()
        finally:
            self.activity += 1
            app.disconnect(wire)


def _token(request: Request) -> str:
    """What opens a socket: a header's token, or, from browsers, a subprotocol's or a ticket."""
    named = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    bearers = [one.strip() for one in named if one.strip().startswith(frames.BEARER_PREFIX)]
    ticket = dict(parse_qsl(urlsplit(request.path).query)).get("ticket")
    if bearers:
        return bearers[0].removeprefix(frames.BEARER_PREFIX)
    return ticket or request.headers.get("Authorization", "")


@asynccontextmanager
async def listening() -> AsyncIterator[Front]:
    """A port of loopback that is free."""
    front = Front()
    server = await asyncio.start_server(front.serve, "127.0.0.1", 0, limit=LARGEST_HEAD)
    front.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield front
    finally:
        server.close()
