"""How far a long command has come: on a terminal a line that is written over, elsewhere one every few
seconds, and what has come to its end."""

import sys
import time
from typing import TextIO

TERMINAL_SECONDS = 0.2
FILE_SECONDS = 5.0


class Progress:
    """Writes to `out`, standard error unless told otherwise; with `quiet` only what is wrong."""

    def __init__(self, out: TextIO | None = None, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._out = sys.stderr if out is None else out
        self._over = self._out.isatty()
        self._every = TERMINAL_SECONDS if self._over else FILE_SECONDS
        self._next = time.monotonic() + self._every
        self._open = False

    def at(self, line: str) -> None:
        """Something goes on; many of these are left out."""
        now = time.monotonic()
        if self._quiet or now < self._next:
            return
        self._next = now + self._every
        self._write(line, "" if self._over else "\n")
        self._open = self._over

    def done(self, line: str) -> None:
        """Something has come to its end, or is worth to be read."""
        if not self._quiet:
            self.wrong(line)

    def wrong(self, line: str) -> None:
        """Something is not as it should be, and is told in any case."""
        self._write(line, "\n")
        self._open = False
        self._next = time.monotonic() + self._every

    def _write(self, line: str, end: str) -> None:
        start = "\r\x1b[K" if self._open else ""
        self._out.write(f"{start}{line}{end}")
        self._out.flush()


def sized(count: int) -> str:
    """A number of bytes in words."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
