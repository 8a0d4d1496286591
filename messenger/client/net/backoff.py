"""When to try again: exponential back-off with full jitter, so that clients that lost a server together do
not come back together."""

import random
from collections.abc import Callable


class Backoff:
    """Waits that double from `first` to `last` seconds, each drawn at random between half of it and all."""

    def __init__(self, first: float, last: float, draw: Callable[[], float] = random.random) -> None:
        self._first = first
        self._last = last
        self._draw = draw
        self._failures = 0

    def next(self, at_least: float = 0.0) -> float:
        """Seconds to wait now; `at_least` is what the server asked for."""
        bound = min(self._last, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        wait = bound * (0.5 + 0.5 * self._draw())
        return max(wait, at_least + bound * 0.5 * self._draw() if at_least else 0.0)

    def reset(self) -> None:
        """It has worked."""
        self._failures = 0
