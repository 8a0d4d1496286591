"""One socket in one conversation: how far it has been given what happened there, and what comes next for it.

No I/O: events come in, and what the socket is to be shown goes out. There are three states.

`behind`: the socket is given pages, each from where it stands, as fast as it reads; what is committed
meanwhile is left to these. `live`: it is given what is committed, as it comes, and pages where some of that
is missing. `ended`: its user is no member any more and the socket has been shown that; what is heard late of
the membership that has ended changes nothing.

| event                      | behind                       | live                  | ended              |
| -------------------------- | ---------------------------- | --------------------- | ------------------ |
| a message is committed     | left to the pages            | shown if next in line | nothing            |
| a page                     | what is new of it is shown   | the same              | nothing            |
| its user's removal in that | shown; ended                 | shown; ended          | nothing            |
| all that is there is given | live; ended if at its `end`  | nothing               | nothing            |
| membership, old news       | nothing                      | nothing               | nothing            |
| membership, begun anew     | from its cursor on           | from its cursor on    | behind, from there |
| membership, over           | nothing: the removal comes   | nothing               | behind to the end  |
| resend                     | lower, and its own messages  | behind, the same      | nothing            |
| not read fast enough       | nothing                      | behind                | nothing            |

What it is given comes in rising order, each once: a message or a change is shown only where its number is
above all that were, and messages that are committed only where nothing is missing in between. A cursor may be
ahead of what this instance knows of: then what lies below it is not shown.
"""

from enum import Enum
from typing import TYPE_CHECKING

from messenger.messages.live.page import Page
from messenger.messages.model import Head, Membership, StoredChange, StoredMessage

if TYPE_CHECKING:
    from messenger.messages.live.connection import Connection


class State(Enum):
    """See the module."""

    BEHIND = "behind"
    LIVE = "live"
    ENDED = "ended"


BEHIND, LIVE, ENDED = State


class Follower:
    """`reader` in a conversation where it stands at `cursor`: up to there nothing is shown.

    `own`: its device's own messages are shown too, for it has asked for them. `end`: it is shown what
    happened up to there and no more, for its user has left; else it is a member as far as is known here.
    """

    __slots__ = ("change", "end", "own", "reader", "seq", "state")

    def __init__(self, reader: "Connection", cursor: Head, end: Head | None = None) -> None:
        self.reader = reader
        self.seq, self.change = cursor
        self.state = BEHIND
        self.own = False
        self.end = end

    @property
    def member(self) -> bool:
        """Whether the user is a member still, as far as this socket has been shown."""
        return self.state is not ENDED and self.end is None

    @property
    def head(self) -> Head:
        """Up to where it has been given what happened."""
        return Head(self.seq, self.change)

    def knows_joining(self, change: int) -> bool:
        """Whether the membership that began with `change` is no news."""
        if self.member:
            return self.change >= change - 1
        return (self.change if self.end is None else self.end.change) >= change

    def lacks(self, seq: int, change: int) -> bool:
        """Whether something is missing of what happened up to there."""
        return self.seq < seq or self.change < change

    def wanted(self, head: Head) -> Head:
        """Up to where pages are wanted, where the conversation has come to `head`."""
        seq, change = self.end or head
        return Head(max(seq, self.seq), max(change, self.change))

    # events

    def committed(self, stored: StoredMessage, change: int) -> bool:
        """A message was committed when the conversation had `change`; gives whether to show it."""
        if self.seq + 1 != stored.seq or self.change < change or self.state is not LIVE:
            return False
        self.seq = stored.seq
        return stored.sender_device_id != self.reader.device_id

    def given(self, page: Page) -> list[StoredMessage | StoredChange]:
        """A page has come; gives what of it to show."""
        shown: list[StoredMessage | StoredChange] = []
        if self.state is ENDED or self.lacks(*page.above):
            return shown  # where more was asked for meanwhile, another page begins lower
        for item in page.items:
            if isinstance(item, StoredMessage):
                if item.seq > self.seq:
                    self.seq = item.seq
                    if self.own or item.sender_device_id != self.reader.device_id:
                        shown.append(item)
            elif item.change > self.change:
                self.change = item.change
                shown.append(item)
                if removes(item, self.reader.user_id):
                    self._end()
                    break
        if not page.items and self.end is not None and page.upto == self.wanted(self.end):
            self._end()  # what the end promises is not there
        return shown

    def reached(self, head: Head) -> None:
        """The conversation has come to `head`: go live where all up to there was given, or end at the end."""
        if self.state is BEHIND and not self.lacks(*(self.end or head)):
            if self.end is None:
                if self.head == head:
                    self.seq, self.change = head  # the same objects for all who follow it
                self.state, self.own = LIVE, False
            else:
                self._end()

    def membership(self, found: Membership) -> None:
        """The user's membership was read; it may have changed since, or be known here already."""
        if self.state is ENDED or self.end is not None:
            known = self.change if self.end is None else self.end.change
            if found.head.change <= known:
                return  # read before the leaving, or of it
            self.state, self.own = BEHIND, False
            self.end = found.head if found.left else None
        elif found.left or found.cursor.change <= self.change:
            return  # the removal is about to come, or nothing is new
        # It has left and joined again, and nothing was heard of either: its sight begins anew.
        self.seq = max(self.seq, found.cursor.seq)
        self.change = max(self.change, found.cursor.change)

    def resend(self, after: int) -> None:
        """Show what follows `after` again, own messages included."""
        if self.member:
            self.state, self.own = BEHIND, True
            self.seq = min(self.seq, after)

    def fall_behind(self) -> None:
        """Let the socket read what is missing at its own pace."""
        if self.state is LIVE:
            self.state = BEHIND

    def _end(self) -> None:
        if self.end is not None:
            self.change = max(self.change, self.end.change)
        self.state, self.own, self.end = ENDED, False, None


def removes(happened: StoredChange, user_id: str) -> bool:
    """Whether the change is the user's leaving."""
    return happened.event == "member_removed" and happened.details.get("user_id") == user_id
