"""Ranges (RFC 9110 section 14) and conditions (section 13), against plain restatements of the rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messenger.core.http.conditions import Verdict, entity_tag, judge, range_holds
from messenger.files.ranges import Span, Unsatisfiable, span_of

SIZES = st.integers(0, 50) | st.integers(0, 1 << 40)


@given(SIZES, st.integers(0, 60) | st.integers(0, 1 << 70), st.integers(0, 60) | st.integers(0, 1 << 70))
def test_a_range_is_the_slice_it_names(size: int, first: int, last: int) -> None:
    header = f"bytes={first}-{last}"
    if last < first:
        assert span_of(header, size) is None
    elif first >= size:
        with pytest.raises(Unsatisfiable):
            span_of(header, size)
    else:
        assert span_of(header, size) == Span(first, min(last, size - 1) - first + 1, size)


@given(SIZES, st.integers(0, 60))
def test_an_open_range_leads_to_the_end(size: int, first: int) -> None:
    if first >= size:
        with pytest.raises(Unsatisfiable):
            span_of(f"bytes={first}-", size)
    else:
        assert span_of(f"bytes={first}-", size) == Span(first, size - first, size)


@given(st.integers(1, 1 << 40), st.integers(1, 60) | st.integers(1, 1 << 70))
def test_a_suffix_is_the_end(size: int, suffix: int) -> None:
    taken = min(size, suffix)
    assert span_of(f"bytes=-{suffix}", size) == Span(size - taken, taken, size)


def test_edges() -> None:
    with pytest.raises(Unsatisfiable):
        span_of("bytes=-0", 10)
    with pytest.raises(Unsatisfiable):
        span_of("bytes=0-", 0)
    assert span_of("bytes=-5", 0) is None
    assert span_of("BYTES= 0-1 ,", 10) == Span(0, 2, 10)
    assert span_of("bytes=0-" + "9" * 6_000, 10) == Span(0, 10, 10)
    assert span_of("bytes=" + "0" * 6_000 + "3-4", 10) == Span(3, 2, 10)
    with pytest.raises(Unsatisfiable):
        span_of("bytes=" + "9" * 6_000 + "-", 10)
    assert Span(5, 3, 10).content_range == "bytes 5-7/10"


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "bytes", "bytes=", "bytes=-", "bytes=,", "bytes=1-2,4-5", "items=0-1", "bytes=a-b"),
        *("bytes=1-2-3", "bytes=+1-2", "bytes=1 -2", "bytes =1-2", "bytes=0x1-2", "bytes=\u0661-2"),
        *("bytes=5-1", "bytes=--1"),
    ],
)
def test_what_is_no_single_range_is_as_if_not_there(header: str | None) -> None:
    assert span_of(header, 100) is None


@given(st.text(max_size=30), SIZES)
def test_no_header_breaks_it(text: str, size: int) -> None:
    for header in (text, "bytes=" + text):
        try:
            span = span_of(header, size)
        except Unsatisfiable:
            continue
        assert span is None or (span.length >= 1 and span.start >= 0 and span.start + span.length <= size)


TAG = entity_tag(bytes(32))
OTHER = entity_tag(bytes(31) + b"\x01")


@pytest.mark.parametrize(
    ("if_match", "if_none_match", "safe", "verdict"),
    [
        (None, None, True, Verdict.proceed),
        (TAG, None, True, Verdict.proceed),
        ("*", None, False, Verdict.proceed),
        (f"{OTHER}, {TAG}", None, True, Verdict.proceed),
        (f"{OTHER}", None, True, Verdict.failed),
        (f"W/{TAG}", None, True, Verdict.failed),  # If-Match compares strongly
        ("nonsense", None, True, Verdict.failed),
        (None, TAG, True, Verdict.not_modified),
        (None, TAG, False, Verdict.failed),
        (None, f"W/{TAG}", True, Verdict.not_modified),
        (None, "*", True, Verdict.not_modified),
        (None, f'{OTHER} ,\t, {TAG}, "x"', True, Verdict.not_modified),
        (None, OTHER, True, Verdict.proceed),
        (None, TAG.strip('"'), True, Verdict.proceed),
        (OTHER, TAG, True, Verdict.failed),
        (TAG, TAG, True, Verdict.not_modified),
    ],
)
def test_conditions(if_match: str | None, if_none_match: str | None, safe: bool, verdict: Verdict) -> None:
    assert judge(TAG, if_match, if_none_match, safe=safe) is verdict


@pytest.mark.parametrize("safe", [False, True])
def test_what_is_not_there_matches_nothing(safe: bool) -> None:
    assert judge(None, None, None, safe=safe) is Verdict.proceed
    assert judge(None, None, "*", safe=safe) is Verdict.proceed
    assert judge(None, None, TAG, safe=safe) is Verdict.proceed
    for tag in ("*", TAG, '""', "None"):
        assert judge(None, tag, None, safe=safe) is Verdict.failed


@given(st.text(max_size=40))
def test_no_condition_breaks_it(text: str) -> None:
    judge(TAG, text, text, safe=True)


def test_if_range_compares_strongly_and_knows_no_dates() -> None:
    assert range_holds(TAG, None)
    assert range_holds(TAG, f" {TAG}")
    for other in (OTHER, f"W/{TAG}", "Mon, 23 Nov 2026 09:30:00 GMT", "", "*"):
        assert not range_holds(TAG, other)


def test_entity_tags_are_strong_and_distinct() -> None:
    assert TAG != OTHER
    assert TAG[0] == TAG[-1] == '"'
