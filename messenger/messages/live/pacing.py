"""At most once a second for each key: what comes in between waits, and of what waits the last counts."""

from collections.abc import Callable, Hashable
from typing import Any

SECONDS = 1.0


class Pacing:
    """Does things for keys, each as soon as its key's last was `SECONDS` ago."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._next: dict[Hashable, Callable[[], None] | None] = {}

    def offer(self, key: Hashable, act: Callable[[], None]) -> None:
        """Do it now, or in its turn in place of what waits."""
        if key in self._next:
            self._next[key] = act
        else:
            self._do(key, act)

    def _do(self, key: Hashable, act: Callable[[], None]) -> None:
        self._next[key] = None
        self._reactor.callLater(SECONDS, self._turn, key)
        act()

    def _turn(self, key: Hashable) -> None:
        act = self._next.pop(key)
        if act is not None:
            self._do(key, act)
