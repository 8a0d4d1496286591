"""Calls the coroutines of X3DH and DoubleRatchet without an event loop: they never wait for anything."""

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def done(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise RuntimeError("a coroutine waits that never should")
