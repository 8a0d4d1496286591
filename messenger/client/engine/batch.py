"""Effects of some work in the store besides what is stored."""

import time
from dataclasses import dataclass, field
from typing import Self

from messenger.wire.times import rfc3339


@dataclass(slots=True)
class Batch:
    """Acknowledgements, conversations that have to be woken, and what was asked of the server for this.

    `now` is in seconds since 1970, `moment` the same as RFC 3339. `asked` are the users whose keys were asked
    for just now: what is not known of them by then is not known.
    """

    now: float
    moment: str
    asked: frozenset[str] = frozenset()
    acks: dict[str, int] = field(default_factory=dict)
    wake: set[str] = field(default_factory=set)
    approved: bool = False

    @classmethod
    def begin(cls, asked: frozenset[str] = frozenset()) -> Self:
        """One that begins now."""
        now = time.time()
        return cls(now, rfc3339(int(now * 1000)), asked)
