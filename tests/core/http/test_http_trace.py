"""Traces are taken over where they are well formed, and begun anew where not (W3C Trace Context)."""

import pytest
from twisted.web.http_headers import Headers

from messenger.core.http.trace import trace_of

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def headers(*values: str) -> Headers:
    return Headers({"traceparent": list(values)} if values else {})


@pytest.mark.parametrize(
    ("text", "sampled"),
    [
        (f"00-{TRACE}-{PARENT}-01", True),
        (f"00-{TRACE}-{PARENT}-00", False),
        (f"00-{TRACE}-{PARENT}-03", True),
        (f"00-{TRACE}-{PARENT}-02", False),
        (f"cc-{TRACE}-{PARENT}-01", True),
        (f"cc-{TRACE}-{PARENT}-01-what-is-to-come", True),
    ],
)
def test_taken_over(text: str, sampled: bool) -> None:
    trace = trace_of(headers(text))
    assert (trace.trace_id, trace.parent_id, trace.sampled) == (TRACE, PARENT, sampled)
    assert trace.span_id != PARENT
    assert trace.traceparent == f"00-{TRACE}-{trace.span_id}-{'01' if sampled else '00'}"


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("",),
        ("x",),
        (f"00-{TRACE}-{PARENT}",),
        (f"00-{TRACE}-{PARENT}-1",),
        (f"00-{TRACE}-{PARENT}-01-more",),
        (f"ff-{TRACE}-{PARENT}-01",),
        (f"00-{TRACE.upper()}-{PARENT}-01",),
        (f"00-{'0' * 32}-{PARENT}-01",),
        (f"00-{TRACE}-{'0' * 16}-01",),
        (f"00-{TRACE}x-{PARENT}-01",),
        (f"cc-{TRACE}-{PARENT}-01more",),
        (f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01"),
    ],
)
def test_begun_anew(values: tuple[str, ...]) -> None:
    trace, other = trace_of(headers(*values)), trace_of(headers(*values))
    assert trace.parent_id is None
    assert trace.trace_id not in (TRACE, other.trace_id)
    assert trace_of(headers(trace.traceparent)).trace_id == trace.trace_id
    assert not trace.sampled
