"""Times on the wire: RFC 3339, UTC, milliseconds (`2026-01-31T09:30:00.123Z`).

Inside, a time is an int of milliseconds since 1970, or a datetime where a store hands one on.
"""

from datetime import UTC, datetime, timedelta
from time import gmtime, strftime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_last: tuple[int, str] = (-1, "")


def rfc3339(milliseconds: int) -> str:
    """The wire form of a time in milliseconds since 1970."""
    global _last  # noqa: PLW0603 - one second's text serves all messages of that second
    seconds, rest = divmod(milliseconds, 1000)
    if _last[0] != seconds:
        _last = (seconds, strftime("%Y-%m-%dT%H:%M:%S.", gmtime(seconds)))
    return f"{_last[1]}{rest:03d}Z"


def milliseconds(moment: datetime) -> int:
    """A datetime with a zone as milliseconds since 1970; microseconds are cut off, as `moment_text` does."""
    return (moment - _EPOCH) // _MILLISECOND


def moment_text(moment: datetime) -> str:
    """The wire form of a datetime with a zone."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
