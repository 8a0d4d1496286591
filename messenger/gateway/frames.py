"""Where the frames of one direction of a WebSocket end (RFC 6455 section 5.2), without looking into them.

A frame has two bytes (the opcode in the low four bits of the first; in the second the mask's presence and a
length up to 125), then 2 or 8 bytes of length where those say 126 or 127, then 4 of mask if there is one,
then the payload. Another frame may be put in wherever one has ended, a control frame even between the
fragments of a message (section 5.4).
"""

CLOSE = 8
GOING_AWAY = b"\x88\x02\x03\xe9"  # a server's close frame with code 1001 (section 7.4.1)


class FrameEnds:
    """Follows a stream of frames. `left` bytes of the frame under way are still to come."""

    __slots__ = ("_head", "closed", "left")

    def __init__(self) -> None:
        self.left = 0
        self.closed = False  # a close frame went by: no other may follow
        self._head = b""

    @property
    def between(self) -> bool:
        """Whether the last frame is complete, and no other has begun."""
        return not self.left and not self._head

    def follow(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        size = len(data)
        at = self.left
        if at >= size:
            self.left = at - size
            return
        if self._head:
            data = self._head + data
            size = len(data)
            self._head = b""
        while at < size:
            second = data[at + 1] if size - at > 1 else 0
            length = second & 127
            head = 2 if length < 126 else 4 if length == 126 else 10
            if size - at < head:
                self._head = data[at:]
                self.left = 0
                return
            if length > 125:
                length = int.from_bytes(data[at + 2 : at + head], "big")
            if data[at] & 15 == CLOSE:
                self.closed = True
            at += head + length + (4 if second & 128 else 0)
        self.left = at - size

    def rest_of_frame(self, data: bytes) -> bytes:
        """As much of `data` as belongs to the frame under way; only that is followed."""
        at = 0
        while at < len(data) and not (at and self.between):
            step = self.left or 1
            self.follow(data[at : at + step])
            at += step
        return data[:at]
