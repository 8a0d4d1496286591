"""How often a socket is read: one that gives a few bytes each time is left alone for a moment.

What a read costs hardly depends on how much it gives. A client that writes very little very often would have
a process do nothing else; while its socket rests the bytes gather, for one read.
"""

READS = 16
SECONDS = 0.02
SMALL = 4_096  # bytes; a read of as many or more is worth what it costs


class ReadPace:
    """Counts the small reads of one socket: up to `READS` within `SECONDS` are no reason to rest."""

    __slots__ = ("_count", "_since")

    def __init__(self) -> None:
        self._since = 0.0
        self._count = 0

    def too_fast(self, now: float, size: int) -> bool:
        """Count a read of `size` bytes at `now` (seconds); whether the socket is to rest, for `SECONDS`."""
        if size >= SMALL:
            return False
        if now - self._since >= SECONDS:
            self._since, self._count = now, 0
        self._count += 1
        return self._count >= READS
