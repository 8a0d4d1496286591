"""Times on the wire: RFC 3339, UTC, milliseconds, one text for one moment."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messenger.wire.times import milliseconds, moment_text, rfc3339

_moments = st.datetimes(
    min_value=datetime(1970, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)
) | st.datetimes(
    min_value=datetime(1970, 1, 2),
    max_value=datetime(9999, 12, 30),
    timezones=st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (999, "1970-01-01T00:00:00.999Z"),
        (1_769_851_800_123, "2026-01-31T09:30:00.123Z"),
        (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_rfc3339(moment: int, text: str) -> None:
    assert rfc3339(moment) == text


def test_the_remembered_second_is_only_used_for_itself() -> None:
    assert [rfc3339(moment) for moment in (1_000, 1_999, 2_000, 1_000, 2_001)] == [
        "1970-01-01T00:00:01.000Z",
        "1970-01-01T00:00:01.999Z",
        "1970-01-01T00:00:02.000Z",
        "1970-01-01T00:00:01.000Z",
        "1970-01-01T00:00:02.001Z",
    ]


@given(st.integers(0, 253_402_300_799_999))
def test_rfc3339_says_the_moment(moment: int) -> None:
    text = rfc3339(moment)
    assert len(text) == len("2026-01-31T09:30:00.123Z")
    assert milliseconds(datetime.fromisoformat(text)) == moment


@given(_moments)
def test_a_moment_has_one_text_whichever_way_it_goes(moment: datetime) -> None:
    """PostgreSQL keeps microseconds: both ways must cut them off alike."""
    assert rfc3339(milliseconds(moment)) == moment_text(moment)


def test_moments_of_other_zones_are_told_in_utc() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    assert moment_text(datetime(2026, 1, 31, 15, 0, 0, 123_999, zone)) == "2026-01-31T09:30:00.123Z"
