"""Events on their way out: recorded by a transaction (core/outbox.py), and sent once that is committed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from messenger.wire.events import Event


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event that stands in the outbox under `event_id`."""

    event_id: str
    event: Event


Publish = Callable[[Sequence[Outgoing]], None]
"""Sends events whose rows have just been committed; never raises, and nobody waits (core/outbox.py)."""
