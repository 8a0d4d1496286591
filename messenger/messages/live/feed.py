"""A conversation that has sockets on this instance: what was forwarded, in order and without gaps.

`seq` and `change` say how far everything has been forwarded. What comes next in line is forwarded at once;
anything else raises the target, and the stretch between is read from PostgreSQL, once for all sockets.

A feed may be behind when a socket enters whose place is beyond it: of what is forwarded then that socket gets
only what lies above its place, for the rest is acknowledged or from before its user's joining.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from messenger.messages.live.connection import Behind, Connection
from messenger.messages.live.render import change_frame, message_frame
from messenger.messages.model import Happened, Head, Stored

PAGE = 100
PAGE_BYTES = 1024 * 1024

Delivered = Callable[[float, int], object]


class Reading(Protocol):
    """What is wanted of the store."""

    async def stretch(
        self, conversation_id: str, above: int, upto: int, limit: int, size: int
    ) -> list[Stored]:
        """See store.messages.Messages.stretch."""

    async def changes(self, wants: Sequence[tuple[str, int, int]], limit: int) -> list[Happened]:
        """See store.messages.Messages.changes."""


class Feed:
    """Forwards one conversation to `connections`. `clock` gives milliseconds since 1970.

    `delivered(seconds, sockets)` hears of each message how long after its commit it went to how many sockets.
    """

    __slots__ = (
        "_clock",
        "_delivered",
        "_filling",
        "_target",
        "change",
        "connections",
        "conversation_id",
        "seq",
    )

    def __init__(
        self,
        conversation_id: str,
        head: Head,
        clock: Callable[[], int],
        delivered: Delivered = lambda _seconds, _sockets: None,
    ) -> None:
        self.conversation_id = conversation_id
        self.seq = head.seq
        self.change = head.change
        self.connections: dict[Connection, Head | None] = {}  # the place, where the feed is not there yet
        self._clock = clock
        self._delivered = delivered
        self._target = head
        self._filling = False

    def enter(self, connection: Connection, place: Head) -> None:
        """Forward to this connection from now on what lies above its place."""
        ahead = place.seq > self.seq or place.change > self.change
        self.connections[connection] = place if ahead else None
        connection.feeds.add(self)

    def offer(self, stored: Stored, change: int) -> bool:
        """Take a committed message, at which the conversation had `change`; False where a fill is needed."""
        if stored.seq <= self.seq:
            return True
        if stored.seq == self.seq + 1 and change == self.change and not self._filling:
            self._forward(stored)
            return True
        return self.reach(Head(stored.seq, change))

    def reach(self, head: Head) -> bool:
        """Note that the conversation has come to `head`; False where that is further than was forwarded."""
        target = self._target
        if head.seq > target.seq or head.change > target.change:
            self._target = Head(max(head.seq, target.seq), max(head.change, target.change))
        return self._target.seq <= self.seq and self._target.change <= self.change

    async def fill(self, store: Reading) -> None:
        """Read and forward what lies between, page by page; one fill at a time.

        In a jump of more than a page (an outage of the bus) who does not read as fast as that is left
        behind, to be brought up by its own backlog.
        """
        if self._filling:
            return
        self._filling = True
        far = self._target.seq - self.seq > PAGE
        try:
            while self.connections and not self.reach(self._target):
                await self._fill_page(store, self._target, far)
        finally:
            self._filling = False

    async def _fill_page(self, store: Reading, target: Head, far: bool) -> None:
        messages: list[Stored] = []
        happened: list[Happened] = []
        if target.seq > self.seq:
            messages = await store.stretch(self.conversation_id, self.seq, target.seq, PAGE, PAGE_BYTES)
        if target.change > self.change:
            happened = await store.changes([(self.conversation_id, self.change, target.change)], PAGE)
        if not messages and not happened:
            # The heads promised what is not there: nothing can be forwarded, so nothing is waited for.
            self._target = Head(self.seq, self.change)
            return
        for connection in self.connections:
            if far and connection.slow:
                connection.behind.setdefault(self.conversation_id, Behind(self.seq, self.change))
        for item in merged(messages, happened, complete_to(messages, happened, target.seq, PAGE)):
            if isinstance(item, Stored):
                self._forward(item)
            else:
                self._forward_change(item)

    def _forward(self, stored: Stored) -> None:
        self.seq = stored.seq
        now = self._clock()
        sockets = 0
        shared: bytes | None = None
        for connection, place in list(self.connections.items()):
            device_id = connection.device_id
            if place is not None and stored.seq <= place.seq:
                continue
            if stored.sender_device_id == device_id or self.conversation_id in connection.behind:
                continue
            sockets += 1
            if stored.envelopes is not None and device_id in stored.envelopes:
                connection.send(message_frame(stored, device_id, now))
            else:
                shared = shared or message_frame(stored, "", now)
                connection.send(shared)
        if sockets:
            self._delivered(max(0, now - stored.created) / 1000, sockets)

    def _forward_change(self, happened: Happened) -> None:
        self.change = happened.change
        frame = change_frame(happened)
        for connection, place in list(self.connections.items()):
            if place is not None and happened.change <= place.change:
                continue  # a removal among them is from before the user joined again
            behind = connection.behind.get(self.conversation_id)
            if behind is None:
                connection.send(frame)
            if removes(happened, connection.identity.user_id):
                self.drop(connection)
                if behind is None:
                    connection.left[self.conversation_id] = happened.change
                else:
                    behind.end = Head(happened.at_seq, happened.change)

    def drop(self, connection: Connection) -> None:
        """Forward nothing more to this connection."""
        self.connections.pop(connection, None)
        connection.feeds.discard(self)


def removes(happened: Happened, user_id: str) -> bool:
    """Whether the change is the user's leaving."""
    return happened.event == "member_removed" and happened.details.get("user_id") == user_id


def complete_to(messages: list[Stored], happened: list[Happened], upto: int, limit: int) -> int:
    """Up to which message a page holds all that happened, of what was asked for up to `upto`.

    It ends where the messages do (they have no gaps), and where its at most `limit` changes do.
    """
    read_to = messages[-1].seq if messages else upto
    return min(read_to, happened[-1].at_seq) if len(happened) >= limit else read_to


def merged(messages: list[Stored], happened: list[Happened], read_to: int) -> list[Stored | Happened]:
    """Messages and changes in the order in which they happened; what comes after `read_to` is left out.

    A change happened right after the message `at_seq`.
    """
    items: list[tuple[tuple[int, int], Stored | Happened]] = [
        ((m.seq, 0), m) for m in messages if m.seq <= read_to
    ]
    items += [((h.at_seq, h.change), h) for h in happened if h.at_seq <= read_to]
    items.sort(key=lambda item: item[0])
    return [item for _, item in items]
