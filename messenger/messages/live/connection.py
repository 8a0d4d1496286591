"""A device's open socket as live delivery sees it: an outgoing queue with a bound, and where it is behind.

Frames of one turn of the reactor leave together, as a JSON array where there are several. What the client
does not read waits here up to a bound in bytes; beyond that the client is cut off with 4408, and finds its
messages waiting when it comes back.
"""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import Deferred

from messenger.core.identity import Identity
from messenger.messages.model import Head
from messenger.wire import frames
from messenger.wire.codec import encode

if TYPE_CHECKING:
    from messenger.messages.live.feed import Feed
    from messenger.messages.live.hub import Hub

MESSAGE_BYTES = 256 * 1024  # several frames share a WebSocket message up to this size


class Channel(Protocol):
    """What carries a connection: the WebSocket."""

    def send(self, message: bytes) -> None:
        """Write one WebSocket message."""

    def close(self, code: int, reason: str) -> None:
        """Say why and close; harmless when closed already."""


@dataclass(slots=True)
class Behind:
    """Where a connection stands in a conversation that it is behind in.

    `own`: its device's own messages too (a resend). `end`: read up to there and no further, for the user is
    no member any more.
    """

    seq: int
    change: int
    own: bool = False
    end: Head | None = None


class Connection:
    """An open socket of `identity`'s device. `bound` is in bytes of unsent frames."""

    __slots__ = (
        "_bound",
        "_hub",
        "_out",
        "_out_bytes",
        "_paused",
        "_writable",
        "behind",
        "channel",
        "closed",
        "feeds",
        "identity",
        "left",
        "reading",
        "since",
        "synced",
    )

    def __init__(self, hub: "Hub", channel: Channel, identity: Identity, bound: int) -> None:
        self._hub = hub
        self._bound = bound
        self._out: deque[bytes] = deque()
        self._out_bytes = 0
        self._paused = False
        self._writable: Deferred[None] | None = None
        self.channel = channel
        self.identity = identity
        self.feeds: set[Feed] = set()
        self.behind: dict[str, Behind] = {}
        self.left: dict[str, int] = {}  # the change by which its user left, once that was shown here
        self.reading = False
        self.since = 0  # milliseconds since 1970
        self.synced = False
        self.closed = False

    @property
    def device_id(self) -> str:
        """The device at the other end."""
        return self.identity.device_id

    @property
    def slow(self) -> bool:
        """Whether the client has left so much unread that it had better read at its own pace."""
        return self._paused and self._out_bytes > self._bound // 2

    @property
    def unread(self) -> int:
        """Bytes of frames that the client has not read."""
        return self._out_bytes

    def send(self, frame: bytes) -> None:
        """Queue an encoded frame; it leaves with the others of this turn."""
        if self.closed:
            return
        if not self._out:
            self._hub.flush_later(self)
        self._out.append(frame)
        self._out_bytes += len(frame)
        if self._out_bytes > self._bound:
            self.flush()  # what a single turn brings is not what the client leaves unread
            if self._out_bytes > self._bound:
                self.close(frames.TOO_SLOW, "live events are not being read")

    def say(self, frame: object) -> None:
        """Queue a frame that is a struct or a dict."""
        self.send(encode(frame))

    def flush(self) -> None:
        """Write what is queued, as far as the client reads it: the transport's own buffer stays small."""
        while self._out and not self._paused and not self.closed:
            batch = [self._out.popleft()]
            size = len(batch[0])
            while self._out and size + len(self._out[0]) <= MESSAGE_BYTES:
                batch.append(self._out.popleft())
                size += len(batch[-1])
            self._out_bytes -= size
            self._write(batch)

    def _write(self, batch: list[bytes]) -> None:
        self.channel.send(batch[0] if len(batch) == 1 else b"[" + b",".join(batch) + b"]")

    def pause(self) -> None:
        """The transport is full."""
        self._paused = True

    def resume(self) -> None:
        """The transport has room again."""
        self._paused = False
        self.flush()
        if self._writable is not None and not self._paused:
            writable, self._writable = self._writable, None
            writable.callback(None)

    async def writable(self) -> None:
        """Return once what was queued is written and the transport has room."""
        self.flush()
        if self._paused and not self.closed:
            self._writable = Deferred()
            await self._writable

    def close(self, code: int, reason: str) -> None:
        """Close the socket with a code; nothing more is sent."""
        if not self.closed:
            self.flush()
            self.gone()
            self._hub.closing[code] += 1
            self.channel.close(code, reason)

    def gone(self) -> None:
        """The socket is closed, or closing: forget it everywhere."""
        if self.closed:
            return
        self.closed = True
        self._out.clear()
        self._out_bytes = 0
        self._hub.detach(self)
        if self._writable is not None:
            writable, self._writable = self._writable, None
            writable.callback(None)
