"""The frames that nearly all messages come in, taken without Autobahn: whole, unfragmented ASCII texts.

Autobahn takes a frame apart in many steps, each for what a frame might be; that costs more than to decode and
store what is in it. Almost every frame is a client's masked text (RFC 6455 section 5.2) that arrived whole:
0x81, 0x80 and a length of 7 or 16 bits, four bytes of mask, the payload. Those are taken here, in order.
Anything else (control frames, fragments, long or unmasked frames, what is cut off or is no ASCII) is left to
Autobahn from there on, which knows all the rules.
"""

# mypy: disable-error-code="misc, unreachable", allow-untyped-calls
# Autobahn's base classes are hardly annotated; what is says that a socket is never open.

from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol

from messenger.core.read_pace import SECONDS, ReadPace

FRAMES = 64  # that are looked at in one turn
PIECE = 512  # bytes that Autobahn is given at once; it stops nowhere in between
WHOLE_TEXT = 0x81
MASKED = 0x80


def whole_text(data: bytes, at: int) -> tuple[bytes, int] | None:
    """The payload of the text frame that begins at `at`, and where it ends; None for any other frame."""
    left = len(data) - at
    if left < 6 or data[at] != WHOLE_TEXT:
        return None
    size, head = data[at + 1] - MASKED, 2
    if size == 126 and left >= 8:
        size, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
        if size < 126:
            return None  # not the shortest form
    elif not 0 <= size < 126:
        return None
    start = at + head + 4
    end = start + size
    if end > len(data):
        return None
    payload = unmasked(data[start:end], data[start - 4 : start])
    return (payload, end) if payload.isascii() else None


def unmasked(payload: bytes, mask: bytes) -> bytes:
    """`payload` xor `mask`, over and over (RFC 6455 section 5.3): as two large numbers."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


class FastTextProtocol(WebSocketServerProtocol):
    """A WebSocket whose whole texts go straight to `onMessage`.

    It stops where reading is paused, and after `FRAMES` frames others have a turn: one read may hold ten
    thousand. It rests where reads follow each other too fast (see `ReadPace`). What has arrived and is not
    looked at yet is kept, at most a read or two, for the transport rests meanwhile. Once the socket is `deaf`
    nothing is looked at, and `unheard` is called for each piece that comes.
    """

    transport: Any
    deaf = False
    reading_paused = False
    _unread = b""
    _turn = 0  # frames that may still be looked at in this turn
    _has_turn = False  # whether the next one is under way

    def __init__(self) -> None:
        super().__init__()
        self._pace = ReadPace()

    def dataReceived(self, data: bytes) -> None:
        if self.deaf:
            self.unheard()
        elif self._unread or self.reading_paused or self._has_turn:
            self._unread += data  # the transport had it on its way
        elif self.state in (self.STATE_OPEN, self.STATE_CLOSING):
            self.look_at(data)
            now = self.factory.reactor.seconds()
            if self._pace.too_fast(now, len(data)) and not self._has_turn:
                self.transport.pauseProducing()
                self._take_a_turn(SECONDS)
        else:
            self._dataReceived(data)

    def unheard(self) -> None:
        """Something came that is not looked at."""

    def extra_frame(self) -> bool:
        """A frame came that is neither a message nor its end; whether it is to be obeyed."""
        return True

    def pause_reading(self) -> None:
        """Take no more from the client."""
        if not self.reading_paused:
            self.reading_paused = True
            self.transport.pauseProducing()

    def resume_reading(self) -> None:
        """Go on."""
        if self.reading_paused:
            self.reading_paused = False
            if self._unread:
                self._take_a_turn()
            elif not self._has_turn:
                self.transport.resumeProducing()

    def look_at(self, data: bytes) -> None:
        """Take what follows the handshake."""
        at, self._turn = 0, FRAMES
        while at < len(data) and self._turn > 0 and not self.reading_paused and not self.deaf:
            if found := self._text(data, at):
                payload, at = found
                self._turn -= 1
                self.onMessage(payload, False)
            else:
                end = at + max(PIECE, self._missing())
                self._dataReceived(data[at:end])
                at = end
        if at and self.autoPingTimeoutCall:
            self._cancelAutoPingTimeoutCall()  # whoever talks is there
        self._unread = b"" if self.deaf else data[at:]
        if self._unread and not self.reading_paused:
            self.transport.pauseProducing()
            self._take_a_turn()

    def _text(self, data: bytes, at: int) -> tuple[bytes, int] | None:
        """The whole text that begins here, unless Autobahn is in the middle of something."""
        if self.state != self.STATE_OPEN or self.data or self.inside_message or self.current_frame:
            return None
        return whole_text(data, at)

    def _missing(self) -> int:
        """How many bytes the frame that Autobahn has begun still needs, which cost little."""
        frame = self.current_frame
        return frame.length - self.current_frame_masker.pointer() if frame else 0

    def _take_a_turn(self, seconds: float = 0) -> None:
        if not self._has_turn:
            self._has_turn = True
            self.factory.reactor.callLater(seconds, self._go_on)

    def _go_on(self) -> None:
        self._has_turn = False
        if self.reading_paused or self.state == self.STATE_CLOSED:
            return
        data, self._unread = self._unread, b""
        self.look_at(b"" if self.deaf else data)
        if not self._unread and not self.reading_paused:
            self.transport.resumeProducing()

    # Autobahn's calls

    def onFrameBegin(self) -> None:
        self._turn -= 1
        super().onFrameBegin()

    def onFrameEnd(self) -> Any:
        frame = self.current_frame
        if not frame.fin and self.state == self.STATE_OPEN:
            self.extra_frame()
        return super().onFrameEnd()

    def onPing(self, payload: bytes) -> None:
        if self.state == self.STATE_OPEN and self.extra_frame():
            self.sendPong(payload)

    def onPong(self, payload: bytes) -> None:
        if self.state == self.STATE_OPEN:
            self.extra_frame()
