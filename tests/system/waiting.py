"""Waiting until something holds."""

import time
from collections.abc import Callable
from typing import Any


def until(check: Callable[[], Any], seconds: float = 10.0, every: float = 0.05) -> Any:
    """What `check` gives once that is true; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {check}"
        time.sleep(every)
