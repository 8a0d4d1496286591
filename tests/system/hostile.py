"""A hostile server: a proxy between one client and the real one that changes what it likes.

`done` hears of each call; `rewrite` sees each JSON answer (method, path, value) and gives what the client
gets instead; `blob` sees each downloaded file; `frames` sees each frame for the client and gives those that
it gets instead. `requests` has all that the client asked.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed

Json = Any
_HOP = frozenset(
    ("connection", "transfer-encoding", "content-length", "host", "keep-alive", "date", "server")
)


class Hostile:
    """What is done to whom."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.url = ""
        self.rewrite: Callable[[str, str, Json], Json] = lambda _method, _path, value: value
        self.blob: Callable[[bytes], bytes] = lambda raw: raw
        # Hears of each call that the server has answered; an answer is lost where this throws.
        self.done: Callable[[str, str], None] = lambda _method, _path: None
        self.requests: list[tuple[str, str, bytes]] = []  # method, path with query, headers and body
        self.frames: Callable[[dict[str, Json]], list[dict[str, Json]]] = lambda frame: [frame]
        self._sockets: set[ServerConnection] = set()

    async def inject(self, frame: dict[str, Json]) -> None:
        """Have the client get a frame that the server never sent."""
        for socket in self._sockets:
            await socket.send(json.dumps(frame))

    async def cut(self) -> None:
        """Break all WebSockets."""
        for socket in list(self._sockets):
            socket.transport.abort()

    async def _relay(self, downstream: ServerConnection) -> None:
        assert downstream.request is not None
        # A browser comes by a ticket where its first socket failed.
        has_ticket = "ticket=" in downstream.request.path
        headers = {} if has_ticket else {"Authorization": _token(downstream.request.headers)}
        url = self.upstream.replace("http", "ws", 1) + downstream.request.path
        async with connect(url, additional_headers=headers, max_size=None) as up:
            self._sockets.add(downstream)
            back = asyncio.ensure_future(_pump(downstream, up))
            try:
                async for raw in up:
                    found = json.loads(raw)
                    for frame in found if isinstance(found, list) else [found]:
                        for changed in self.frames(frame):
                            await downstream.send(json.dumps(changed))
            except ConnectionClosed:
                pass  # the client has gone, or was cut off
            finally:
                self._sockets.discard(downstream)
                back.cancel()


def _token(headers: Headers) -> str:
    """The access token: a browser has no other place for it than the subprotocols."""
    offered = headers.get("Sec-WebSocket-Protocol", "").split(", ")
    of_browser = [one.removeprefix("bearer.") for one in offered if one.startswith("bearer.")]
    return f"Bearer {of_browser[0]}" if of_browser else headers["Authorization"]


async def _pump(source: ServerConnection, sink: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        async for raw in source:
            await sink.send(raw)
    await sink.close()


def _handler(hostile: Hostile) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            hostile.requests.append((self.command, self.path, bytes(self.headers) + body))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            answer = httpx.request(
                self.command, hostile.upstream + self.path, content=body, headers=headers, timeout=60
            )
            raw = answer.content
            hostile.done(self.command, self.path.removeprefix("/api/v1").partition("?")[0])
            if answer.status_code < 300 and "json" in answer.headers.get("Content-Type", ""):
                path = self.path.removeprefix("/api/v1").partition("?")[0]
                raw = json.dumps(hostile.rewrite(self.command, path, json.loads(raw))).encode()
            elif answer.status_code < 300 and raw:
                raw = hostile.blob(raw)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            if answer.status_code != 204:
                self.send_header("Content-Length", str(len(raw)))
            # Node opens its sockets on connections that it has, and here each goes to one server for good.
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

    return Handler


@asynccontextmanager
async def hostile_server(upstream: str) -> AsyncIterator[Hostile]:
    """A proxy in front of `upstream` that passes everything on until it is told otherwise."""
    hostile = Hostile(upstream)
    plain = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hostile))
    plain.block_on_close = False  # connections that are kept alive would never end
    thread = threading.Thread(target=plain.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    async with serve(
        hostile._relay,
        "127.0.0.1",
        0,
        subprotocols=["messenger.v1"],
        max_size=None,  # type: ignore[list-item]
    ) as sockets:
        ws_port = next(iter(sockets.sockets)).getsockname()[1]

        async def dispatch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                head = await reader.readuntil(b"\r\n\r\n")
                port = ws_port if head.startswith(b"GET /ws") else plain.server_port
                back_reader, back = await asyncio.open_connection("127.0.0.1", port)
                back.write(head)
                await asyncio.gather(_copy(reader, back), _copy(back_reader, writer))

        front = await asyncio.start_server(dispatch, "127.0.0.1", 0)
        hostile.url = f"http://127.0.0.1:{front.sockets[0].getsockname()[1]}"
        try:
            yield hostile
        finally:
            front.close()
            plain.shutdown()
            plain.server_close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while part := await reader.read(65_536):
            writer.write(part)
            await writer.drain()
    writer.close()
