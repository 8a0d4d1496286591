"""The frames that nearly all messages come in, taken without Autobahn: whole, unfragmented ASCII texts.

Autobahn takes a frame apart in many steps, each for what a frame might be; that costs more than to decode and
store what is in it. Almost every frame is a client's masked text (RFC 6455 section 5.2) that arrived whole:
0x81, 0x80 and a length of 7 or 16 bits, four bytes of mask, the payload. Those are taken here, in order.
Anything else (control frames, fragments, long or unmasked frames, what is cut off or is no ASCII) is left to
Autobahn from there on, which knows all the rules.
"""

# mypy: disable-error-code="misc, unreachable", allow-untyped-calls
# Autobahn's base classes are hardly annotated; what is says that a socket is never open.

from autobahn.twisted.websocket import WebSocketServerProtocol

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


class TextsFirst(WebSocketServerProtocol):
    """A WebSocket whose whole texts go straight to `onMessage`; once it is `deaf` nothing is looked at, and
    `unheard` is called for each piece that comes."""

    deaf = False

    def dataReceived(self, data: bytes) -> None:
        if self.deaf:
            self.unheard()
            return
        if self.state == self.STATE_OPEN and not self.data and not self.inside_message:
            if self.current_frame is None:
                data = self._take_texts(data)
            if not data:
                return
        self._dataReceived(data)

    def unheard(self) -> None:
        """Something came that is not looked at."""

    def _take_texts(self, data: bytes) -> bytes:
        at = 0
        while self.state == self.STATE_OPEN and (found := whole_text(data, at)):
            payload, at = found
            self.onMessage(payload, False)
        if at and self.autoPingTimeoutCall:
            self._cancelAutoPingTimeoutCall()  # whoever talks is there
        return b"" if self.deaf else data[at:]
