"""What a history shows: violations, conversations at the end, sockets and what came on them."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.system.checker.history import Event


@dataclass(frozen=True)
class Violation:
    """One broken promise, with what a maintainer needs to find it in the logs."""

    kind: str
    detail: str
    conversation: str = ""
    seq: int = 0
    device: str = ""
    times: tuple[float, ...] = ()

    def __str__(self) -> str:
        parts = [f"{self.kind}: {self.detail}"]
        if self.conversation:
            parts.append(f"conversation {self.conversation}")
        if self.seq:
            parts.append(f"seq {self.seq}")
        if self.device:
            parts.append(f"device {self.device}")
        return ", ".join(parts) + "".join(f", {clock(at)}" for at in self.times)


def clock(at: float) -> str:
    """A time as log lines have it."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3] + "Z"


@dataclass(frozen=True)
class Stint:
    """A user's time in a conversation: it may see messages from `first` to `last`."""

    first: int
    last: int
    first_change: int
    last_change: int

    def covers(self, seq: int) -> bool:
        """Whether the user may see the message."""
        return self.first <= seq <= self.last


@dataclass
class Message:
    """A message as the history has it; `at` is when a client first knew of its commit."""

    seq: int
    device: str
    client_id: str
    content: str | None  # None where the reader has no envelope of it
    at: float = 0.0


@dataclass
class Conversation:
    """A conversation at the end of the run."""

    name: str
    messages: dict[int, Message]
    stints: dict[str, list[Stint]]
    events: list[Event]
    founders: list[str]
    last_seq: int
    last_change: int

    def stint(self, user: str, seq: int) -> Stint | None:
        """The membership in which the user may see the message, if there is one."""
        return next((one for one in self.stints.get(user, ()) if one.covers(seq)), None)


@dataclass
class Socket:
    """A socket's life and what came on it."""

    number: int
    device: str
    opened: float
    final: bool
    synced: float = float("inf")
    closed: float = float("inf")
    messages: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    changes: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
