"""A conversation that has members' sockets on this instance: how far it has come, and who follows it.

`seq` and `change` are the highest that were heard of. A message that is next in line for a follower is shown
to it at once. What live followers lack (`gap`) is read from PostgreSQL, once for all of them, and comes as a
page.
"""

from messenger.messages.live.follower import LIVE, Follower
from messenger.messages.live.page import Page
from messenger.messages.live.render import Frames, message_frame
from messenger.messages.model import Head, StoredMessage


class Feed:
    """One conversation and its followers: all are members, as far as they have been shown."""

    __slots__ = ("change", "conversation_id", "filling", "followers", "seq")

    def __init__(self, conversation_id: str, head: Head) -> None:
        self.conversation_id = conversation_id
        self.seq, self.change = head
        self.followers: tuple[Follower, ...] = ()  # few, mostly: smaller than a list
        self.filling = False  # what live followers lack is being read

    @property
    def head(self) -> Head:
        """How far the conversation has come."""
        return Head(self.seq, self.change)

    def reach(self, seq: int, change: int) -> bool:
        """The conversation has come to there; gives whether that is further than was known."""
        further = seq > self.seq or change > self.change
        if further:  # events may overtake each other
            self.seq, self.change = max(seq, self.seq), max(change, self.change)
        return further

    def offer(self, stored: StoredMessage, change: int, now: int) -> tuple[int, bool]:
        """A message was committed when the conversation had `change`.

        Gives to how many sockets it went, and whether no live follower lacks anything.
        """
        self.reach(stored.seq, change)
        sockets, whole = 0, True
        shared: bytes | None = None
        sealed = stored.envelopes or ()
        for follower in self.followers:  # a socket that overflows is closed, and leaves
            if follower.committed(stored, change):
                reader = follower.reader
                sockets += 1
                if reader.device_id in sealed:
                    reader.send(message_frame(stored, reader.device_id, now))
                else:
                    shared = shared or message_frame(stored, "", now)
                    reader.send(shared)
            elif follower.state is LIVE and follower.lacks(self.seq, self.change):
                whole = False
        return sockets, whole

    def gap(self) -> tuple[Head, Head] | None:
        """Above and up to where live followers lack what happened; None where they don't."""
        seq, change = self.seq, self.change
        for follower in self.followers:
            if follower.state is LIVE and follower.lacks(self.seq, self.change):
                seq, change = min(seq, follower.seq), min(change, follower.change)
        if seq == self.seq and change == self.change:
            return None
        return Head(seq, change), self.head

    def given(self, page: Page, now: int) -> list[tuple[StoredMessage, int]]:
        """Show live followers what they lacked; gives to how many sockets each message of it went."""
        frames = Frames(now)
        sockets: dict[int, int] = {}
        for follower in self.followers:
            if follower.state is LIVE:
                reader = follower.reader
                for item in follower.given(page):
                    reader.send(frames.of(item, reader.device_id))
                    sockets[id(item)] = sockets.get(id(item), 0) + 1
        self.found(page)
        return [
            (item, sockets[id(item)])
            for item in page.items
            if isinstance(item, StoredMessage) and id(item) in sockets
        ]

    def found(self, page: Page) -> None:
        """A page was read: where nothing is there of what the head promises, it was wrong."""
        if not page.items:
            if self.seq == page.upto.seq:
                self.seq = page.above.seq
            if self.change == page.upto.change:
                self.change = page.above.change
