"""A WebSocket client that costs little: asyncio's Protocol, frames of JSON, no library in between.

Client frames are masked with a key of zeros, which the protocol allows and which costs nothing
(RFC 6455 section 5.3); a benchmark has no proxy to protect.
"""

import asyncio
import base64
import json
import os
from collections.abc import Callable
from typing import Any


class Client(asyncio.Protocol):
    """One socket; `heard(client, frame)` is called for each frame."""

    def __init__(self, token: str, heard: Callable[["Client", dict[str, Any]], None]) -> None:
        self._token = token
        self._heard = heard
        self._buffer = bytearray()
        self._open = False
        self.synced: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: Any = None
        self.device_id = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {self._token}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if not self._open:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if not buffer.startswith(b"HTTP/1.1 101"):
                self.synced.set_exception(RuntimeError(bytes(buffer[:1000]).decode(errors="replace")))
                self.transport.abort()
                return
            del buffer[: end + 4]
            self._open = True
        while self._frame():
            continue

    def _frame(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        size, start = buffer[1] & 127, 2
        if size == 126:
            if len(buffer) < 4:
                return False
            size, start = int.from_bytes(buffer[2:4], "big"), 4
        elif size == 127:
            if len(buffer) < 10:
                return False
            size, start = int.from_bytes(buffer[2:10], "big"), 10
        if len(buffer) < start + size:
            return False
        opcode, payload = buffer[0] & 15, bytes(buffer[start : start + size])
        del buffer[: start + size]
        if opcode == 1:
            decoded = json.loads(payload)
            for frame in decoded if isinstance(decoded, list) else (decoded,):
                if frame["type"] == "synced" and not self.synced.done():
                    self.synced.set_result(None)
                self._heard(self, frame)
        elif opcode == 9:
            self._write(10, payload)
        elif opcode == 8:
            self._write(8, payload[:2])  # the server drops the connection once it has this
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.synced.done():
            self.synced.set_exception(RuntimeError("the socket was closed"))

    def say(self, text: bytes) -> None:
        """Send a text frame."""
        self._write(1, text)

    def _write(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            head = bytes((0x80 | opcode, 0x80 | size))
        elif size < 65_536:
            head = bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
        else:
            head = bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8, "big")
        self.transport.write(head + b"\0\0\0\0" + payload)


async def connect(
    url: str, token: str, heard: Callable[[Client, dict[str, Any]], None], address: str = "127.0.0.1"
) -> Client:
    """A socket that has been synced, from this address of the loopback."""
    host, _, port = url.removeprefix("http://").partition(":")
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(
        lambda: Client(token, heard), host, int(port), local_addr=(address, 0)
    )
    await asyncio.wait_for(client.synced, 60)
    return client
