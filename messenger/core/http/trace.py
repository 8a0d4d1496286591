"""Which trace a request belongs to: W3C Trace Context (https://www.w3.org/TR/trace-context/).

A request may bear `traceparent: 00-TRACE-PARENT-FLAGS`. What it says is taken over, a span id of our own
becomes the parent of what we ask others, and the trace's id stands in each log line beside the request's.
Where there is none, or it is malformed or repeated, a new trace begins here (and the gateway drops a
`tracestate` beside it). Of the flags only `sampled` is known.
"""

import re
from random import getrandbits
from typing import NamedTuple

from twisted.web.http_headers import Headers

_SAMPLED = 1
# A later version may go on after the flags; 00 may not, and ff is none.
_PARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE = b"0" * 32
_NO_SPAN = b"0" * 16


class Trace(NamedTuple):
    """A request's place in a trace: ids in hexadecimal, `parent_id` is None where the trace begins here."""

    trace_id: str
    parent_id: str | None
    span_id: str
    sampled: bool

    @property
    def traceparent(self) -> str:
        """The header for what is asked of others for this request's sake."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


NO_TRACE = Trace("", None, "", False)  # a request that has not been read


def trace_of(headers: Headers) -> Trace:
    """The trace that these headers name, else a new one that is not sampled."""
    given = headers.getRawHeaders(b"traceparent")
    match = _PARENT.fullmatch(given[0].strip()) if given and len(given) == 1 else None
    span_id = f"{getrandbits(64) or 1:016x}"
    if (
        match is None
        or match[2] == _NO_TRACE
        or match[3] == _NO_SPAN
        or (match[1] == b"00" and match[5] is not None)
    ):
        return Trace(f"{getrandbits(128) or 1:032x}", None, span_id, False)
    sampled = bool(int(match[4], 16) & _SAMPLED)
    return Trace(match[2].decode("ascii"), match[3].decode("ascii"), span_id, sampled)
