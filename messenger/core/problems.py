"""Saying in the log that something failed which is tried again, or done by others: it ends nothing."""

from typing import Any

from twisted.logger import Logger

from messenger.wire.errors import Problem


def log_problem(log: Logger, what: str, error: Exception, **fields: Any) -> None:
    """Log, while it is being handled, that `what` failed by `error`: a Problem is a warning with its detail,
    anything else a failure with its traceback."""
    if isinstance(error, Problem):
        log.warn(what + ": {detail}", detail=error.detail, **fields)
    else:
        log.failure(what, **fields)
