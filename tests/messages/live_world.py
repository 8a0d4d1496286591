"""Conversations as PostgreSQL would hold them, and one instance's live delivery on top of that, without I/O.

A reading sees what was committed when it was asked for; the test says when its answer arrives, in which order
and whether at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from messenger.core.identity import Identity
from messenger.messages.live.audience import Audience
from messenger.messages.live.backlog import Backlog
from messenger.messages.live.connection import Connection
from messenger.messages.live.conversation_events import ConversationEvents
from messenger.messages.live.delivery import Delivery
from messenger.messages.live.healing import Healing
from messenger.messages.live.hub import Hub
from messenger.messages.live.interest import Interest
from messenger.messages.live.joining import Joining
from messenger.messages.model import Head, Members, Membership, StoredChange, StoredMessage
from messenger.wire.errors import unavailable

T = TypeVar("T")

LOOK_SECONDS = 600.0


def user_of(device_id: str) -> str:
    """`ann` for `ann-phone`."""
    return device_id.partition("-")[0]


@dataclass
class Period:
    """From a member's joining to its leaving: the numbers of what it may see."""

    first: Head
    last: Head | None = None

    def holds_seq(self, seq: int) -> bool:
        """Whether the message is within."""
        return seq >= self.first.seq and (self.last is None or seq <= self.last.seq)

    def holds_change(self, change: int) -> bool:
        """Whether the change is within."""
        return change >= self.first.change and (self.last is None or change <= self.last.change)


@dataclass
class Conversation:
    """What is stored of one conversation."""

    name: str
    messages: list[StoredMessage] = field(default_factory=list)
    changes: list[StoredChange] = field(default_factory=list)
    periods: dict[str, list[Period]] = field(default_factory=dict)
    places: dict[str, Head] = field(default_factory=dict)  # by device

    @property
    def head(self) -> Head:
        """How far it has come."""
        return Head(len(self.messages), len(self.changes))

    def member(self, user_id: str) -> Period | None:
        """The membership of who is a member."""
        periods = self.periods.get(user_id, [])
        return periods[-1] if periods and periods[-1].last is None else None

    def write(self, device_id: str) -> StoredMessage:
        """Commit a message."""
        seq = len(self.messages) + 1
        self.messages.append(
            StoredMessage(
                self.name, seq, user_of(device_id), device_id, f"{seq}", "text", b"x", None, 0, None
            )
        )
        return self.messages[-1]

    def note(self, event: str, **details: str) -> StoredChange:
        """Commit a change."""
        change = StoredChange(self.name, len(self.changes) + 1, len(self.messages), 0, None, event, details)
        self.changes.append(change)
        return change

    def add(self, user_id: str) -> None:
        """Let a user join, again or for the first time."""
        change = self.note("member_added", user_id=user_id).change
        self.periods.setdefault(user_id, []).append(Period(Head(len(self.messages) + 1, change)))
        for device_id, place in self.places.items():
            if user_of(device_id) == user_id:
                self.places[device_id] = Head(
                    max(place.seq, len(self.messages)), max(place.change, change - 1)
                )

    def remove(self, user_id: str) -> None:
        """End a membership."""
        change = self.note("member_removed", user_id=user_id).change
        self.periods[user_id][-1].last = Head(len(self.messages), change)

    def place(self, device_id: str) -> Head:
        """The device's place, which begins at the latest joining."""
        first = self.periods[user_of(device_id)][-1].first
        return self.places.setdefault(device_id, Head(first.seq - 1, first.change - 1))


class Store:
    """All that live delivery reads. `held`: answers wait until the test lets them through."""

    def __init__(self) -> None:
        self.conversations: dict[str, Conversation] = {}
        self.held = False
        self.waiting: list[tuple[Deferred[Any], Any]] = []
        self.reads: list[str] = []
        self.joinings: list[tuple[str, str, int]] = []

    async def _answer(self, name: str, found: T) -> T:
        self.reads.append(name)
        if self.held:
            waiting: Deferred[Any] = Deferred()
            self.waiting.append((waiting, found))
            await waiting
        return found

    def let_through(self, position: int = 0) -> None:
        """Have one of the answers arrive."""
        waiting, found = self.waiting.pop(position)
        waiting.callback(found)

    def fail(self, position: int = 0) -> None:
        """Have one of the readings fail: PostgreSQL is away."""
        self.waiting.pop(position)[0].errback(unavailable("PostgreSQL is away."))

    async def heads(self, conversation_ids: Sequence[str]) -> dict[str, Head]:
        return await self._answer("heads", {name: self.conversations[name].head for name in conversation_ids})

    async def stretch(
        self, conversation_id: str, above: int, upto: int, limit: int, size: int
    ) -> list[StoredMessage]:
        return await self._answer("stretch", self._messages(conversation_id, above, upto)[:limit])

    async def backlog(
        self, device_id: str, wants: Sequence[tuple[str, int, int]], limit: int, size: int
    ) -> list[StoredMessage]:
        return await self._answer(
            "backlog", [item for want in wants for item in self._messages(*want)[:limit]]
        )

    async def changes(self, wants: Sequence[tuple[str, int, int]], limit: int) -> list[StoredChange]:
        found = []
        for name, above, upto in wants:
            changes = self.conversations[name].changes if name in self.conversations else []
            found += [one for one in changes if above < one.change <= upto][:limit]
        return await self._answer("changes", found)

    def _messages(self, name: str, above: int, upto: int) -> list[StoredMessage]:
        return [one for one in self.conversations[name].messages if above < one.seq <= upto]

    async def memberships(
        self, user_id: str, device_id: str, conversation_id: str | None = None
    ) -> list[Membership]:
        found = []
        for one in self.conversations.values():
            if conversation_id not in (None, one.name) or user_id not in one.periods:
                continue
            place, last = one.place(device_id), one.periods[user_id][-1].last
            if last is None or place.seq < last.seq or place.change < last.change:
                found.append(Membership(one.name, last or one.head, place, last is not None))
        return await self._answer("memberships", found)

    async def first_seq(self, user_id: str, conversation_id: str) -> int | None:
        period = self.conversations[conversation_id].member(user_id)
        return await self._answer("first_seq", None if period is None else period.first.seq)

    async def joined(self, seconds: float) -> list[tuple[str, str, int]]:
        found = [
            (one.name, user_id, periods[-1].first.change)
            for one in self.conversations.values()
            for user_id, periods in one.periods.items()
        ]
        return await self._answer("joined", found)

    async def members(self, conversation_ids: Sequence[str], most: int) -> list[Members]:
        found = []
        for name in conversation_ids:
            one = self.conversations.get(name)
            if one is not None:
                users = [user_id for user_id in one.periods if one.member(user_id)]
                found.append(Members(name, one.head.change, users if len(users) <= most else None))
        return await self._answer("members", found)

    async def apart(self, user_id: str) -> list[str]:
        return await self._answer("apart", [])


class Channel:
    """Notes what is sent, or breaks."""

    def __init__(self, broken: bool = False) -> None:
        self.sent: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self._broken = broken

    def send(self, message: bytes) -> None:
        if self._broken:
            raise OSError("broken")
        self.sent.append(message)

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def frames(self) -> list[dict[str, Any]]:
        """What was sent, frame by frame."""
        found: list[dict[str, Any]] = []
        for message in self.sent:
            decoded = msgspec.json.decode(message)
            found += decoded if isinstance(decoded, list) else [decoded]
        return found

    def numbers(self) -> list[tuple[str, int]]:
        """The messages and changes among them, by their numbers."""
        return [
            (one["type"], one["seq"] if one["type"] == "message" else one["change"])
            for one in self.frames()
            if one["type"] in ("message", "change")
        ]


class Bus:
    """Carries what instances tell each other, to all of them and at once, and notes it."""

    def __init__(self) -> None:
        self.listeners: list[tuple[str, Any]] = []
        self.told: list[tuple[str, bytes]] = []

    def on(self, subject: str, listener: Any, *, own: bool = False) -> None:
        self.listeners.append((subject, listener))

    def want(self, _shards: int) -> int:
        return 1

    async def known(self, _version: int) -> None:
        """They all hear everything."""

    def split(
        self, subject: str, items: Sequence[T], _concerns: Callable[[T], int | None]
    ) -> list[tuple[str, list[T]]]:
        return [(subject, list(items))] if items else []

    def tell(self, subject: str, payload: bytes) -> None:
        self.told.append((subject, payload))
        for wanted, listener in self.listeners:
            if wanted == subject:
                listener(subject, payload)

    def send_parts(self, _event_id: str, parts: Sequence[tuple[str, bytes]]) -> None:
        self.told += parts


class Instance:
    """Live delivery of one instance, put together as the service does it; `bus` where there are others."""

    def __init__(self, clock: Clock, store: Store, unread_bytes: int = 100_000, bus: Any = None) -> None:
        self.clock, self.store = clock, store
        self.connections: list[Connection] = []
        self.hub = Hub(clock, unread_bytes)
        self.backlog = Backlog(clock, self.hub, store)
        self.delivery = Delivery(clock, self.hub, store, self.backlog)
        self.audience = Audience(clock, store)
        self.interest = Interest(clock, self.hub, bus or Bus())
        self.joining = Joining(clock, self.hub, store, self.backlog, self.delivery, self.interest.known)
        self.healing = Healing(clock, self.hub, store, store, self.delivery, self.joining.join, LOOK_SECONDS)
        self.events = ConversationEvents(
            self.delivery, self.joining, self.audience, bus or Bus(), bus or Bus()
        )

    def attach(self, device_id: str, channel: Channel | None = None) -> tuple[Connection, Channel]:
        """A device's socket that is let in and follows nothing yet."""
        channel = channel or Channel()
        connection = self.hub.attach(channel, Identity(user_of(device_id), device_id, "s", 0, 0))
        self.connections.append(connection)
        return connection, channel

    def open(self, device_id: str) -> tuple[Connection, Channel]:
        """A device's socket."""
        connection, channel = self.attach(device_id)
        self.joining.open(connection)
        return connection, channel

    def idle(self) -> bool:
        """Whether nothing is being read, and nothing is about to be."""
        return not (
            self.store.waiting
            or self.healing.working
            or any(feed.filling for feed in self.hub.feeds.values())
            or self.hub.behind
            or any(one.opening and not one.closed for one in self.connections)
        )

    def settle(self, seconds: float = 0.05) -> None:
        """Let all answers through until nothing is left to do."""
        until(self.clock, self.store, self.idle, seconds)


def until(clock: Clock, store: Store, done: Callable[[], bool], seconds: float = 0.05) -> None:
    """Let all answers through, and time go by, until `done`."""
    for _ in range(2_000):
        while store.waiting:
            store.let_through()
        clock.advance(seconds)
        if done() and not store.waiting:
            clock.advance(0)
            return
    raise AssertionError("it never comes to rest")
