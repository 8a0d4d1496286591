"""What the fakes of all services stand on: coroutines that never wait, and events that were told."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from messenger.core.ids import new_id

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it waits")


class Told(list[Any]):
    """The events that a service has told, in their order; called as its `tell`."""

    def __call__(self, outgoing: Iterable[Any]) -> None:
        self.extend(one.event for one in outgoing)


def outgoing(kind: Callable[[str, str, Any], T], events: Iterable[Any]) -> list[T]:
    """The events as a service's store gives them back, of the service's own `kind` (see its ports.py)."""
    return [kind(new_id(), "subject", event) for event in events]
