"""When to try again: exponential back-off with full jitter, so that clients that lost a server together do
not come back together."""

import random
from collections.abc import Callable


class Backoff:
    """Waits whose bound doubles from `first` to `last` seconds, each drawn between nothing and all of it."""

    def __init__(self, first: float, last: float, draw: Callable[[], float] = random.random) -> None:
        self._first = first
        self._last = last
        self._draw = draw
        self._failures = 0

    def next(self, at_least: float = 0.0) -> float:
        """Seconds to wait now; `at_least` is what the server asked for, and comes on top."""
        bound = min(self._last, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return at_least + bound * self._draw()

    def reset(self) -> None:
        """It has worked."""
        self._failures = 0
