"""One WebSocket to the server: frames in and out, and why it closed.

Frames are decoded leniently, as the contract says: unknown types and members are passed over. Reading stops
when nobody takes the frames, which makes the server wait. What goes out in one turn of the event loop goes as
one array.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from messenger.client.errors import RateLimited, ServerRefused, ServerUnreachable
from messenger.wire import frames
from messenger.wire.codec import encode

MAX_MESSAGE = 8 * 1024 * 1024
_OUT_BYTES = 512 * 1024  # of one array; a frame has at most 1 MiB


class ErrorFrame(msgspec.Struct, frozen=True, kw_only=True, tag="error", tag_field="type"):
    """The server says no to a frame."""

    code: str
    detail: str = ""
    ref: str | None = None
    retry_after: float | None = None


ServerFrame = (
    frames.Hello
    | frames.Synced
    | frames.SentFrame
    | frames.MessageFrame
    | frames.ChangeFrame
    | frames.Receipt
    | frames.TypingFrame
    | frames.PresenceFrame
    | frames.DeviceFrame
    | frames.PrekeysFrame
    | frames.TokenFrame
    | ErrorFrame
)


class _Type(msgspec.Struct):
    type: str


_KNOWN = frozenset(
    ("hello", "synced", "sent", "message", "change", "receipt", "typing", "presence", "device", "prekeys")
) | {"token", "error"}
_several = msgspec.json.Decoder(list[msgspec.Raw])
_type = msgspec.json.Decoder(_Type)
_one: msgspec.json.Decoder[ServerFrame] = msgspec.json.Decoder(ServerFrame)


class BadFrame(Exception):
    """The server has sent something that is no frame."""


class Closed(Exception):
    """The socket is closed. `code` is the close code, 1006 where there was none."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}".strip())
        self.code = code
        self.reason = reason


def decode(raw: str | bytes) -> list[ServerFrame]:
    """The frames of one WebSocket message. BadFrame."""
    try:
        text = raw.encode() if isinstance(raw, str) else raw
        items = _several.decode(text) if text.lstrip()[:1] == b"[" else [msgspec.Raw(text)]
        return [_one.decode(item) for item in items if _type.decode(item).type in _KNOWN]
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BadFrame(f"The server has sent something that is no frame: {error}.") from None


class Socket:
    """An open WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._out: list[bytes] = []
        self._writing: asyncio.Task[None] | None = None

    async def receive(self) -> list[ServerFrame]:
        """The next frames. Closed, BadFrame."""
        try:
            return decode(await self._connection.recv())
        except ConnectionClosed as error:
            raise _closed(error) from None

    def say(self, frame: Any) -> None:
        """Send a frame soon; what fails shows in `receive`."""
        self.say_raw(encode(frame))

    def say_raw(self, frame: bytes) -> None:
        """Send a frame that is JSON already."""
        self._out.append(frame)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._out:
                batch, size = [self._out.pop(0)], 0
                while self._out and size + len(self._out[0]) < _OUT_BYTES and len(batch) < 100:
                    size += len(self._out[0])
                    batch.append(self._out.pop(0))
                raw = batch[0] if len(batch) == 1 else b"[" + b",".join(batch) + b"]"
                await self._connection.send(raw.decode())
        except ConnectionClosed:
            self._out.clear()

    def drop(self) -> None:
        """Give the connection up without a word."""
        self._connection.transport.abort()

    async def flush(self) -> None:
        """Return once all that was said is with the system."""
        if self._writing is not None:
            await asyncio.shield(self._writing)


def _closed(error: ConnectionClosed) -> Closed:
    close = error.rcvd
    return Closed(1006, "") if close is None else Closed(close.code, close.reason)


@asynccontextmanager
async def opened(server: str, access_token: str, timeout: float) -> AsyncIterator[Socket]:
    """A socket, closed at the end. ServerUnreachable, ServerRefused (401), RateLimited."""
    try:
        connection = await connect(
            server.replace("http", "ws", 1) + "/ws",
            additional_headers={"Authorization": f"Bearer {access_token}"},
            subprotocols=[Subprotocol(frames.SUBPROTOCOL)],
            open_timeout=timeout,
            close_timeout=5,
            ping_interval=30,
            ping_timeout=30,
            max_size=MAX_MESSAGE,
            max_queue=8,
            compression=None,
            user_agent_header=None,
        )
    except InvalidStatus as error:
        status = error.response.status_code
        if status in (429, 503):
            waiting = error.response.headers.get("Retry-After", "1")
            raise RateLimited(
                status,
                "unavailable",
                "The server takes no socket now.",
                float(waiting) if waiting.isdigit() else 1.0,
            ) from None
        raise ServerRefused(
            status, "bad_upgrade", f"The server answered {status} to the WebSocket."
        ) from None
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI, EOFError) as error:
        raise ServerUnreachable(f"The server can't be reached: {error or type(error).__name__}.") from error
    try:
        yield Socket(connection)
    finally:
        await connection.close()
