"""From what was committed to the sockets of this instance: at once where nothing is missing in between.

What live followers of a conversation lack is read from PostgreSQL, page by page, once for all of them, until
they lack nothing; while PostgreSQL is away that waits. In a jump of more than a page (an outage of the bus)
who does not read as fast as that is left behind, to be brought up by its own backlog.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from messenger.core.clock import clock_of
from messenger.core.turns import Turns
from messenger.core.waits import pause
from messenger.messages.live.backlog import Backlog
from messenger.messages.live.feed import Feed
from messenger.messages.live.follower import LIVE
from messenger.messages.live.hub import Hub
from messenger.messages.live.page import Page, page_of
from messenger.messages.model import Head, StoredChange, StoredMessage
from messenger.wire.errors import Problem

if TYPE_CHECKING:
    from messenger.messages.store.messages import MessageStore

READERS = 8
PAGE = 100
PAGE_BYTES = 1024 * 1024
RETRY_SECONDS = 0.5
BROKEN_SECONDS = 10.0

log = Logger()

Delivered = Callable[[float, int], object]


class Delivery:
    """Shows followers what was committed.

    `delivered(seconds, sockets)` hears of each message how long after its commit it went to how many sockets.
    """

    def __init__(
        self,
        reactor: Any,
        hub: Hub,
        store: "MessageStore",
        backlog: Backlog,
        delivered: Delivered = lambda _seconds, _sockets: None,
    ) -> None:
        self._reactor = reactor
        self._clock = clock_of(reactor)
        self._hub = hub
        self._store = store
        self._backlog = backlog
        self._delivered = delivered
        self._turns = Turns(reactor, READERS)

    def wants(self, conversation_id: str, seq: int) -> bool:
        """Whether the message `seq` is news here."""
        feed = self._hub.feeds.get(conversation_id)
        return feed is not None and seq > feed.seq

    def offer(self, stored: StoredMessage, change: int) -> None:
        """A message was committed when the conversation had `change`."""
        feed = self._hub.feeds.get(stored.conversation_id)
        if feed is not None:
            now = self._clock()
            sockets, whole = feed.offer(stored, change, now)
            self._count(stored, sockets, now)
            if not whole:
                self.fill(feed)

    def reach(self, conversation_id: str, head: Head) -> None:
        """The conversation has come to `head`."""
        feed = self._hub.feeds.get(conversation_id)
        if feed is not None and feed.reach(*head):
            self.fill(feed)

    def fill(self, feed: Feed) -> None:
        """Read what live followers lack, if they do; what is being read comes to that by itself."""
        if not feed.filling and feed.gap() is not None:
            feed.filling = True
            ensureDeferred(self._fill(feed))

    async def _fill(self, feed: Feed) -> None:
        try:
            while (gap := feed.gap()) is not None:
                try:
                    found = await self._read(feed.conversation_id, *gap)
                except Problem as problem:
                    log.warn(
                        "a conversation's messages can't be read, and are tried again: {detail}",
                        detail=problem.detail,
                    )
                    await pause(self._reactor, RETRY_SECONDS)
                except Exception:
                    log.failure("a conversation can't be read")
                    await pause(self._reactor, BROKEN_SECONDS)
                else:
                    self._give(feed, found)
        finally:
            feed.filling = False

    async def _read(self, conversation_id: str, above: Head, upto: Head) -> Page:
        messages: list[StoredMessage] = []
        changes: list[StoredChange] = []
        async with self._turns.turn():
            if upto.seq > above.seq:
                messages = await self._store.stretch(conversation_id, above.seq, upto.seq, PAGE, PAGE_BYTES)
            if upto.change > above.change:
                changes = await self._store.changes([(conversation_id, above.change, upto.change)], PAGE)
        return page_of(above, upto, messages, changes, PAGE)

    def _give(self, feed: Feed, found: Page) -> None:
        if found.upto.seq - found.above.seq > PAGE:
            for follower in feed.followers:
                if follower.state is LIVE and follower.reader.slow:
                    follower.fall_behind()
                    ensureDeferred(self._backlog.bring_up(follower.reader))
        now = self._clock()
        for stored, sockets in feed.given(found, now):
            self._count(stored, sockets, now)
        for follower in feed.followers:
            if not follower.member:
                self._hub.leave(feed.conversation_id, follower)

    def _count(self, stored: StoredMessage, sockets: int, now: int) -> None:
        if sockets:
            self._delivered(max(0, now - stored.created) / 1000, sockets)
