"""For the fakes of all services: coroutines that never wait, a clock, and the events that were published."""

from collections.abc import Coroutine, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from messenger.core.ids import new_id
from messenger.core.outgoing import Outgoing

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it waits")


class Clock:
    """A clock that stands until its `seconds` are moved; called, it gives milliseconds since 1970."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> int:
        return int(self.seconds * 1000)

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


class Published(list[Any]):
    """The events that a service has published, in their order; called as its `publish`."""

    def __call__(self, outgoing: Iterable[Outgoing]) -> None:
        self.extend(one.event for one in outgoing)


def outgoing(events: Iterable[Any]) -> list[Outgoing]:
    """The events as a service's store gives them back."""
    return [Outgoing(new_id(), event) for event in events]
