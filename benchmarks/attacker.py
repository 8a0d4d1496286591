"""The attacker: a process that does what it is told as fast as it can; and a sink, for the control.

Both run at the least priority that there is: an attacker brings its own machine, and what its generator burns
here is not what it costs others there. It takes what nobody else wants, and so its flood is no thinner. Where
Linux shares a processor out between sessions first (sched_autogroup_enabled), that goes for their session.
"""

import asyncio
import contextlib
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.client import Client, connect

CONNECTIONS = 8
PACE = 0.1  # seconds between what a paced client says


async def _flood(url: str, token: str, address: str, messages: list[bytes], until: float) -> Counter[str]:
    """Say all of this over and over, as fast as the server reads it; what came of it."""
    found: Counter[str] = Counter()

    def heard(_client: Client, frame: dict[str, Any]) -> None:
        found[frame.get("code", frame["type"])] += 1

    while time.monotonic() < until:
        try:
            client = await connect(url, token, heard, address)
        except (RuntimeError, OSError):
            found["no socket"] += 1
            await asyncio.sleep(0.02)
            continue
        found["sockets"] += 1
        client.transport.set_write_buffer_limits(high=4 << 20)
        while time.monotonic() < until and not client.transport.is_closing():
            if client.transport.get_write_buffer_size() < 2 << 20:
                for message in messages:
                    client.say(message)
            await asyncio.sleep(0)
        client.transport.abort()
    return found


async def _pace(url: str, token: str, address: str, messages: list[bytes], until: float) -> Counter[str]:
    """Say all of this each `PACE` seconds."""
    found: Counter[str] = Counter()

    def heard(_client: Client, frame: dict[str, Any]) -> None:
        found[frame.get("code", frame["type"])] += 1

    client = await connect(url, token, heard, address)
    while time.monotonic() < until:
        for message in messages:
            client.say(message)
        await asyncio.sleep(PACE)
    client.transport.abort()
    return found


async def _call(url: str, address: str, requests: list[bytes], until: float) -> Counter[str]:
    """Ask all of this over and over on one connection; the statuses."""
    host, _, port = url.removeprefix("http://").partition(":")
    found: Counter[str] = Counter()
    number = 0
    while time.monotonic() < until:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            reader, writer = await asyncio.open_connection(
                host, int(port), limit=1 << 20, local_addr=(address, 0)
            )
            try:
                while time.monotonic() < until:
                    request = requests[number % len(requests)]
                    number += 1
                    writer.write(request)
                    head = (await reader.readuntil(b"\r\n\r\n")).lower()
                    found[head[9:12].decode()] += 1
                    if head[9:12] == b"101":
                        break
                    await _body(reader, request, head)
            finally:
                writer.transport.abort()
    return found


async def _body(reader: asyncio.StreamReader, request: bytes, head: bytes) -> None:
    if request.startswith(b"HEAD ") or head[9:12] in (b"204", b"304"):
        return
    if b"transfer-encoding: chunked" in head:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
        return
    length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
    if length:
        await reader.readexactly(int(length))


async def _attack(
    url: str, token: str, address: str, kind: str, payload: list[bytes], seconds: float
) -> Counter[str]:
    until = time.monotonic() + seconds
    if kind != "calls":
        return await (_flood if kind == "frames" else _pace)(url, token, address, payload, until)
    found: Counter[str] = Counter()
    asked = [_call(url, address, payload[number:] + payload[:number], until) for number in range(CONNECTIONS)]
    for one in await asyncio.gather(*asked):
        found += one
    return found


def _yield_to_all() -> None:
    os.setsid()
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("19")


def attacker(pipe: Any) -> None:
    """Attack as each message on the pipe says, until one is None."""
    _yield_to_all()
    with contextlib.suppress(EOFError):  # the benchmark was broken off
        while (told := pipe.recv()) is not None:
            pipe.send(dict(uvloop.run(_attack(*told))))


class _Sink(asyncio.Protocol):
    """Lets a WebSocket in and reads it without a look; answers any request by an empty 200."""

    def __init__(self) -> None:
        self._data = b""
        self._socket = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        if self._socket:
            return
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, rest = self._data.partition(b"\r\n\r\n")
            if b"upgrade: websocket" in head.lower():
                synced = b'{"type":"synced"}'
                self._socket = True
                self._transport.write(b"HTTP/1.1 101 -\r\n\r\n\x81" + bytes((len(synced),)) + synced)
                return
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(rest) < length:
                return
            self._data = rest[length:]
            self._transport.write(b"HTTP/1.1 200 -\r\nContent-Length: 0\r\n\r\n")


async def _serve(pipe: Any) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Sink, "127.0.0.1", 0)
    pipe.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await loop.run_in_executor(None, pipe.recv)


def sink(pipe: Any) -> None:
    """Serve; the address is sent first, and any answer ends it."""
    _yield_to_all()
    with contextlib.suppress(EOFError):  # the benchmark was broken off
        uvloop.run(_serve(pipe))
