"""Which part of a file a `Range` header asks for (RFC 9110 section 14).

One range of bytes is served. More than one, another unit, or what can't be parsed is as if the header were
not there (sections 14.2 and 15.3.7 leave a server that freedom): the whole file is the answer, and no client
can make us send the same bytes many times over. A range that begins beyond the end can't be satisfied.
"""

import re
from dataclasses import dataclass

_RANGE = re.compile(r"(?:([0-9]+)-([0-9]*)|-([0-9]+))", re.ASCII)
_UNIT = "bytes="
_HUGE = 1 << 62  # longer than any file; Python refuses to read numbers of thousands of digits


@dataclass(frozen=True, slots=True)
class Span:
    """`length` (at least 1) bytes of a file of `size` bytes, from `start` on."""

    start: int
    length: int
    size: int

    @property
    def content_range(self) -> str:
        """The value of `Content-Range` (section 14.4)."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{self.size}"


class Unsatisfiable(Exception):
    """The range is well formed and begins beyond the end: 416."""


def span_of(header: str | None, size: int) -> Span | None:
    """The part of a file of `size` bytes that `header` asks for; None for all of it. Raises Unsatisfiable."""
    if header is None or header[: len(_UNIT)].lower() != _UNIT:
        return None
    items = [item.strip(" \t") for item in header[len(_UNIT) :].split(",")]
    specs = [item for item in items if item]  # section 5.6.1: empty elements of a list don't count
    match = _RANGE.fullmatch(specs[0]) if len(specs) == 1 else None
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        return _suffix(_number(suffix), size)
    start = _number(first)
    end = _number(last) if last else _HUGE
    if end < start:
        return None
    if start >= size:
        raise Unsatisfiable()
    return Span(start, min(end, size - 1) - start + 1, size)


def _suffix(length: int, size: int) -> Span | None:
    if length == 0:
        raise Unsatisfiable()
    if size == 0:
        return None  # all of nothing: no Content-Range can say so
    taken = min(length, size)
    return Span(size - taken, taken, size)


def _number(digits: str) -> int:
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) < 19 else _HUGE
