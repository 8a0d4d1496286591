"""A device's open socket as live delivery sees it: an outgoing queue with a bound, and what it follows.

Frames of one turn of the reactor leave together, as a JSON array where there are several. What the client
does not read waits here up to a bound in bytes; beyond that the client is cut off with 4408, and finds its
messages waiting when it comes back.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import Deferred

from messenger.core.identity import Identity
from messenger.messages.live.follower import BEHIND, Follower
from messenger.wire import frames
from messenger.wire.codec import encode

if TYPE_CHECKING:
    from messenger.messages.live.hub import Hub

MESSAGE_BYTES = 256 * 1024  # several frames share a WebSocket message up to this size

NOBODY: frozenset[str] = frozenset()


class Channel(Protocol):
    """The WebSocket under a connection; in fast tests a list."""

    def send(self, message: bytes) -> None:
        """Write one WebSocket message."""

    def close(self, code: int, reason: str) -> None:
        """Say why and close; harmless when closed already."""

    def pause_reading(self) -> None:
        """Take no more from the client."""

    def resume_reading(self) -> None:
        """Go on."""


class Connection:
    """An open socket of `identity`'s device. `bound` is in bytes of unsent frames."""

    __slots__ = (
        "_bound",
        "_out",
        "_out_bytes",
        "_owner",
        "_paused",
        "_writable",
        "apart",
        "channel",
        "closed",
        "device_id",
        "followers",
        "identity",
        "opening",
        "reading",
        "since",
        "synced",
        "user_id",
    )

    def __init__(self, owner: "Hub", channel: Channel, identity: Identity, bound: int) -> None:
        self._owner = owner
        self._bound = bound
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._paused = False
        self._writable: Deferred[None] | None = None
        self.channel = channel
        self.identity = identity
        self.device_id = identity.device_id
        self.user_id = identity.user_id
        self.apart = NOBODY  # users between whom and this one a block stands
        self.followers: dict[str, Follower] = {}  # by conversation
        self.opening = True  # what it follows is not known yet
        self.reading = False  # pages are being read for it
        self.since = 0  # milliseconds since 1970
        self.synced = False
        self.closed = False

    @property
    def slow(self) -> bool:
        """Whether the client has left so much unread that it had better read at its own pace."""
        return self._paused and self._out_bytes > self._bound // 2

    @property
    def unread(self) -> int:
        """Bytes of frames that the client has not read."""
        return self._out_bytes

    def behind(self) -> Iterator[tuple[str, Follower]]:
        """The conversations in which it is being sent what it has missed."""
        return ((name, one) for name, one in self.followers.items() if one.state is BEHIND)

    def send(self, frame: bytes) -> None:
        """Queue an encoded frame; it leaves with the others of this turn."""
        if self.closed:
            return
        if not self._out:
            self._owner.flush_later(self)
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
            size, count = len(self._out[0]), 1
            while count < len(self._out) and size + len(self._out[count]) <= MESSAGE_BYTES:
                size += len(self._out[count])
                count += 1
            batch, self._out = self._out[:count], self._out[count:]
            self._out_bytes -= size
            self.channel.send(batch[0] if count == 1 else b"[" + b",".join(batch) + b"]")

    def pause(self) -> None:
        """The transport is full."""
        self._paused = True

    def resume(self) -> None:
        """The transport has room again."""
        self._paused = False
        self.flush()
        if not self._paused:
            self._tell_writable()

    async def writable(self) -> None:
        """Return once what was queued is written and the transport has room."""
        self.flush()
        if self._paused and not self.closed:
            self._writable = Deferred()
            await self._writable

    def _tell_writable(self) -> None:
        if self._writable is not None:
            writable, self._writable = self._writable, None
            writable.callback(None)

    def close(self, code: int, reason: str) -> None:
        """Close the socket with a code; nothing more is sent."""
        if not self.closed:
            self.flush()
            self.gone()
            self._owner.closing(code)
            self.channel.close(code, reason)

    def gone(self) -> None:
        """The socket is closed, or closing: forget it everywhere."""
        if self.closed:
            return
        self.closed = True
        self._out.clear()
        self._out_bytes = 0
        self._owner.detach(self)
        self.followers.clear()
        self._tell_writable()
