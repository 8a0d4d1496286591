"""What stands behind the proxies that are measured: `python -m benchmarks.gateway_origin PORT`.

As little as can be: any GET is answered by a short JSON, one below /api/v1/files by 64 MiB, a POST by the
length of its body, and a WebSocket sends back what it is sent.
"""

import asyncio
import base64
import hashlib
import sys
from typing import Any

import uvloop

from benchmarks.gateway_load import no_descriptor_limit

SHORT = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n"
    + b'{"username":"alice","a":12}'
)
SIZE = 64 << 20
LONG = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % SIZE
PIECE = bytes(65_536)
_KEY = b"\r\nsec-websocket-key: "
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Origin(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self.buffer = b""
        self.body = 0
        self.websocket = False
        self.writing = asyncio.Event()
        self.writing.set()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def pause_writing(self) -> None:
        self.writing.clear()

    def resume_writing(self) -> None:
        self.writing.set()

    def data_received(self, data: bytes) -> None:
        if self.websocket:
            self.transport.write(_unmasked(data))
        elif self.body:
            self.body -= len(data)
            self.answer()
        else:
            self.buffer += data
            head, end, rest = self.buffer.partition(b"\r\n\r\n")
            if end:
                self.buffer = b""
                self.request(head, rest)

    def request(self, head: bytes, rest: bytes) -> None:
        """Answer, or take the body first."""
        folded = head.lower()
        if _KEY in folded:
            key = head[folded.index(_KEY) + len(_KEY) :].partition(b"\r\n")[0]
            accept = base64.b64encode(hashlib.sha1(key + _MAGIC).digest())
            self.transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            self.websocket = True
        elif head.startswith(b"POST"):
            length = folded.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
            self.body = int(length) - len(rest)
            self.answer()
        elif head.startswith(b"GET /api/v1/files"):
            self.task = asyncio.ensure_future(self.long())
        else:
            self.transport.write(SHORT)

    def answer(self) -> None:
        """Answer once the body is through."""
        if self.body <= 0:
            self.body = 0
            self.transport.write(SHORT)

    async def long(self) -> None:
        """Send as fast as it is taken."""
        self.transport.write(LONG)
        for _ in range(SIZE // len(PIECE)):
            await self.writing.wait()
            self.transport.write(PIECE)


def _unmasked(data: bytes) -> bytes:
    """The one short masked frame that the load sends at a time, as a server's."""
    length = data[1] & 127
    start = 2 if length < 126 else 4
    mask = data[start : start + 4]
    payload = data[start + 4 :]
    key = int.from_bytes((mask * (len(payload) // 4 + 1))[: len(payload)], "big")
    plain = (int.from_bytes(payload, "big") ^ key).to_bytes(len(payload), "big")
    return bytes([data[0], data[1] & 127]) + data[2:start] + plain


async def main(port: int) -> None:
    """Serve for ever."""
    server = await asyncio.get_running_loop().create_server(Origin, "127.0.0.1", port, backlog=8_192)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    no_descriptor_limit()
    uvloop.install()
    asyncio.run(main(int(sys.argv[1])))
