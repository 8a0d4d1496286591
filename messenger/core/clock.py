"""The time, as every service has it: integer milliseconds since 1970, from a clock that is passed in.

A test passes a clock that stands until it is moved. What instances must agree on (whether a session has
expired, which device was not seen for long) is judged by PostgreSQL's clock instead, inside its statement.
"""

from collections.abc import Callable
from typing import Any

Clock = Callable[[], int]


def clock_of(reactor: Any) -> Clock:
    """The reactor's clock."""

    def now() -> int:
        return int(reactor.seconds() * 1000)

    return now
