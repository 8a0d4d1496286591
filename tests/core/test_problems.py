"""What fails and is tried again is a warning where it was expected, and a failure with its traceback else."""

from typing import Any

import pytest
from twisted.logger import Logger, LogLevel

from messenger.core.problems import log_problem
from messenger.wire.errors import unavailable


@pytest.mark.parametrize(
    ("error", "level", "words"),
    [
        (unavailable("PostgreSQL is away."), LogLevel.warn, "cats can't be fed: PostgreSQL is away."),
        (ValueError("no cat"), LogLevel.critical, "cats can't be fed"),
    ],
)
def test_it_is_logged_by_what_it_is(error: Exception, level: object, words: str) -> None:
    seen: list[dict[str, Any]] = []
    log = Logger(namespace="cats", observer=seen.append)
    try:
        raise error
    except Exception as caught:
        log_problem(log, "{animal} can't be fed", caught, animal="cats")
    (event,) = seen
    assert event["log_level"] is level
    assert event["log_format"].format(**event) == words
    assert ("log_failure" in event) == isinstance(error, ValueError)
    if "log_failure" in event:
        assert event["log_failure"].value is error
