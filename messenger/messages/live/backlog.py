"""Bringing a connection up to date: pages from PostgreSQL, as fast as the client reads them.

One reading at a time for each connection, a few for the whole instance, and a page is bounded in rows that
follow the size of what was read before: so the memory of a reconnect storm is bounded too.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Protocol

from twisted.internet.defer import DeferredSemaphore
from twisted.logger import Logger

from messenger.core.waits import pause, within
from messenger.messages.live.connection import Behind, Connection
from messenger.messages.live.feed import Feed, complete_to, merged, removes
from messenger.messages.live.render import change_frame, message_frame
from messenger.messages.model import Happened, Head, Stored
from messenger.wire import frames
from messenger.wire.codec import encode
from messenger.wire.errors import Problem

READERS = 8
CONVERSATIONS = 20
PAGE_BYTES = 512 * 1024
MIN_ROWS = 5
MAX_ROWS = 200
UNREAD_SECONDS = 60.0
RETRY_SECONDS = 0.5

log = Logger()


class Reading(Protocol):
    """What is wanted of the store."""

    async def backlog(
        self, device_id: str, wants: Sequence[tuple[str, int, int]], limit: int, size: int
    ) -> list[Stored]:
        """See store.messages.Messages.backlog."""

    async def changes(self, wants: Sequence[tuple[str, int, int]], limit: int) -> list[Happened]:
        """See store.messages.Messages.changes."""


class Backlog:
    """Reads for all connections of an instance.

    `head_of` gives how far a conversation was forwarded here, `synced` hears of each first `synced`.
    """

    def __init__(
        self,
        reactor: Any,
        store: Reading,
        head_of: Callable[[str], Feed | None],
        clock: Callable[[], int],
        synced: Callable[[Connection], object],
    ) -> None:
        self._synced = synced
        self._reactor = reactor
        self._store = store
        self._feed_of = head_of
        self._clock = clock
        self._turns = DeferredSemaphore(READERS)
        self.sent = 0

    async def bring_up(self, connection: Connection) -> None:
        """Send what the connection is behind in, until it is not; then `synced`, if it was not yet said."""
        if connection.reading:
            return
        connection.reading = True
        rows = MIN_ROWS * 4
        try:
            while not connection.closed:
                if not connection.behind:
                    if not connection.synced:
                        connection.synced = True
                        connection.send(_SYNCED)
                        self._synced(connection)
                    return
                try:
                    rows = await self._page(connection, rows)
                except Problem as problem:
                    log.warn("a backlog has to wait: {detail}", detail=problem.detail)
                    await pause(self._reactor, RETRY_SECONDS)
                await within(self._reactor, UNREAD_SECONDS, connection.writable())
        except TimeoutError:
            connection.close(frames.TOO_SLOW, "the backlog is not being read")
        except Exception:
            log.failure("a backlog could not be sent")
            connection.close(frames.GOING_AWAY, "connect again")
        finally:
            connection.reading = False

    async def _page(self, connection: Connection, rows: int) -> int:
        """Read and send one page; gives how many rows the next should have."""
        wants = []
        for conversation_id, behind in islice(connection.behind.items(), CONVERSATIONS):
            wants.append((conversation_id, behind, behind.seq, self._upto(conversation_id, behind)))
        limit = max(1, rows // len(wants))
        await self._turns.acquire()
        try:
            found = await self._store.backlog(
                connection.device_id,
                [(name, above, to.seq) for name, _, above, to in wants],
                limit,
                PAGE_BYTES // len(wants),
            )
            moved = [(name, at.change, to.change) for name, at, _, to in wants if to.change > at.change]
            happened = await self._store.changes(moved, limit) if moved else []
        finally:
            self._turns.release()
        if connection.closed:
            return rows
        for name, behind, above, upto in wants:
            # Where a resend has asked for more meanwhile the next page begins there.
            if connection.behind.get(name) is behind and behind.seq == above:
                messages = [item for item in found if item.conversation_id == name]
                changes = [item for item in happened if item.conversation_id == name]
                self._send(connection, name, messages, changes, upto, limit)
        size = sum(item.size for item in found) / len(found) if found else 1.0
        return max(MIN_ROWS, min(MAX_ROWS, int(PAGE_BYTES / max(size, 1.0))))

    def _upto(self, conversation_id: str, behind: Behind) -> Head:
        feed = self._feed_of(conversation_id)
        if behind.end is not None or feed is None:
            return behind.end or Head(behind.seq, behind.change)
        return Head(feed.seq, feed.change)

    def _send(
        self,
        connection: Connection,
        name: str,
        messages: list[Stored],
        changes: list[Happened],
        upto: Head,
        limit: int,
    ) -> None:
        behind = connection.behind[name]
        read_to = complete_to(messages, changes, upto.seq, limit)
        now = self._clock()
        for item in merged(messages, changes, read_to):
            if isinstance(item, Happened):
                behind.change = item.change
                connection.send(change_frame(item))
                if removes(item, connection.identity.user_id):
                    # What follows is not for it, even where it was let in on older news.
                    connection.left[name] = item.change
                    feed = self._feed_of(name)
                    if feed is not None:
                        feed.drop(connection)
                    del connection.behind[name]
                    return
            elif behind.own or item.sender_device_id != connection.device_id:
                self.sent += 1
                connection.send(message_frame(item, connection.device_id, now))
        behind.seq = max(behind.seq, read_to)
        if len(changes) < limit and read_to >= upto.seq:
            behind.change = max(behind.change, upto.change)
        reached = self._upto(name, behind)
        if behind.seq >= reached.seq and behind.change >= reached.change:
            del connection.behind[name]


_SYNCED = encode(frames.Synced())
