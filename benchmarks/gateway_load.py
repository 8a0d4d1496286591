"""The load on a proxy: requests and frames in closed loops on many connections, by plain protocols."""

import asyncio
import resource
import socket
import time
from collections.abc import Callable
from typing import Any

GET = (
    b"GET /api/v1/users/01900000-0000-7000-8000-000000000000 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Authorization: Bearer " + b"x" * 300 + b"\r\nAccept: application/json\r\nUser-Agent: load\r\n\r\n"
)
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
FRAME = b"\x81\xfe\x00\xc8\x01\x02\x03\x04" + b"x" * 200
ECHO = 4 + 200


def no_descriptor_limit() -> None:
    """Open as many sockets as the system allows; child processes inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Requests(asyncio.Protocol):
    """One request after the other; the answers are short and come whole."""

    done = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(GET)

    def data_received(self, data: bytes) -> None:
        assert data.startswith(b"HTTP/1.1 200 "), data
        type(self).done += 1
        self.transport.write(GET)


class Echoes(asyncio.Protocol):
    """One frame after the other."""

    done = 0
    opened = False
    received = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        if not self.opened:
            assert data.startswith(b"HTTP/1.1 101 "), data
            self.opened = True
            self.transport.write(FRAME)
            return
        self.received += len(data)
        if self.received >= ECHO:
            self.received = 0
            type(self).done += 1
            self.transport.write(FRAME)


class Idle(asyncio.Protocol):
    """A WebSocket on which nothing happens."""

    def __init__(self) -> None:
        self.opened = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        assert data.startswith(b"HTTP/1.1 101 "), data
        self.opened.set_result(None)


async def loops(
    port: int, kind: Any, connections: int, seconds: float, cpu: Callable[[], float]
) -> tuple[int, float]:
    """How many were done in `seconds` by so many connections, and the CPU seconds that `cpu` says it took."""
    loop = asyncio.get_running_loop()
    made = [(await loop.create_connection(kind, "127.0.0.1", port))[0] for _ in range(connections)]
    await asyncio.sleep(0.5)
    before, used = kind.done, cpu()
    await asyncio.sleep(seconds)
    done, used = kind.done - before, cpu() - used
    for transport in made:
        transport.abort()
    await asyncio.sleep(0.1)
    return done, used


async def idle(port: int, count: int) -> list[Any]:
    """So many open WebSockets."""
    loop = asyncio.get_running_loop()
    made = []
    for start in range(0, count, 100):
        some = [await loop.create_connection(Idle, "127.0.0.1", port) for _ in range(min(100, count - start))]
        await asyncio.gather(*(protocol.opened for _, protocol in some))
        made += [transport for transport, _ in some]
    return made


def upload(port: int, size: int) -> None:
    """Send `size` bytes in one body."""
    piece = bytes(262_144)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"POST /api/v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // len(piece)):
            sock.sendall(piece)
        assert sock.recv(65_536).startswith(b"HTTP/1.1 200 ")


def download(port: int, size: int) -> None:
    """Receive an answer of at least `size` bytes."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"GET /api/v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        buffer = bytearray(1 << 18)
        got = 0
        while got < size:
            more = sock.recv_into(buffer)
            assert more
            got += more


def reachable(port: int, seconds: float = 20.0) -> None:
    """Return once somebody listens."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return
