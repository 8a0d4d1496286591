"""Bringing a connection up to date: pages from PostgreSQL, as fast as the client reads them.

One reading at a time for each connection, one page at a time for each user, a few for the whole instance, and
a page is bounded in rows that follow the size of what was read before: so the memory of a reconnect storm is
bounded too.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.logger import Logger

from messenger.core.clock import clock_of
from messenger.core.turns import Shares, Turns
from messenger.core.waits import pause, within
from messenger.messages.live.connection import Connection
from messenger.messages.live.follower import Follower
from messenger.messages.live.hub import Hub
from messenger.messages.live.page import Page, page_of
from messenger.messages.live.render import change_frame, message_frame
from messenger.messages.model import Head, StoredChange
from messenger.wire import frames
from messenger.wire.codec import encode
from messenger.wire.errors import Problem

if TYPE_CHECKING:
    from messenger.messages.store.messages import MessageStore

READERS = 8
SOCKETS = 1_000  # of one user, that may wait for a page: more than it may have devices
CONVERSATIONS = 20
PAGE_BYTES = 512 * 1024
MIN_ROWS = 5
MAX_ROWS = 200
UNREAD_SECONDS = 60.0
RETRY_SECONDS = 0.5
AGAIN_SECONDS = 0.05  # between pages of what a client that was up to date asks for again

log = Logger()


class _Want(NamedTuple):
    conversation_id: str
    follower: Follower
    above: Head
    upto: Head


class Backlog:
    """Reads for all connections of an instance."""

    def __init__(self, reactor: Any, hub: Hub, store: "MessageStore") -> None:
        self._reactor = reactor
        self._clock = clock_of(reactor)
        self._hub = hub
        self._store = store
        self._users = Shares(reactor, 1, SOCKETS)
        self._turns = Turns(reactor, READERS)
        self._synced_listeners: list[Callable[[Connection], object]] = []
        self.sent = 0  # messages

    def on_synced(self, listener: Callable[[Connection], object]) -> None:
        """Call `listener(connection)` once a socket's first backlog is through; before the start."""
        self._synced_listeners.append(listener)

    async def bring_up(self, connection: Connection) -> None:
        """Send what the connection is behind in, until it is not; then `synced`, if it was not yet said."""
        if connection.reading:
            return
        connection.reading = True
        rows = MIN_ROWS * 4
        try:
            while not connection.closed:
                if next(connection.behind(), None) is None:
                    self._say_synced(connection)
                    return
                await within(self._reactor, UNREAD_SECONDS, connection.writable())
                try:
                    rows = await self._page(connection, rows)
                except Problem as problem:
                    log.warn(
                        "a socket's missed messages can't be read, and are tried again: {detail}",
                        detail=problem.detail,
                    )
                    await pause(self._reactor, RETRY_SECONDS)
                if connection.synced:
                    await pause(self._reactor, AGAIN_SECONDS)
        except TimeoutError:
            connection.close(frames.TOO_SLOW, "the backlog is not being read")
        except Exception:
            log.failure("a backlog could not be sent")
            connection.close(frames.GOING_AWAY, "connect again")
        finally:
            connection.reading = False

    def _say_synced(self, connection: Connection) -> None:
        if not connection.synced and not connection.opening:
            connection.synced = True
            connection.send(_SYNCED)
            for listener in self._synced_listeners:
                listener(connection)

    def _want(self, conversation_id: str, follower: Follower) -> _Want:
        head = self._head(conversation_id, follower)
        return _Want(conversation_id, follower, follower.head, follower.wanted(head))

    def _head(self, conversation_id: str, follower: Follower) -> Head:
        feed = self._hub.feeds.get(conversation_id)
        return follower.head if feed is None else feed.head

    async def _page(self, connection: Connection, rows: int) -> int:
        """Read and send one page; gives how many rows the next should have."""
        wants = [self._want(*one) for one in islice(connection.behind(), CONVERSATIONS)]
        if not wants:
            return rows
        limit = max(1, rows // len(wants))
        async with self._users.turn(connection.user_id), self._turns.turn():
            found = await self._store.backlog(
                connection.device_id,
                [(want.conversation_id, want.above.seq, want.upto.seq) for want in wants],
                limit,
                PAGE_BYTES // len(wants),
            )
            moved = [
                (want.conversation_id, want.above.change, want.upto.change)
                for want in wants
                if want.upto.change > want.above.change
            ]
            changes = await self._store.changes(moved, limit) if moved else []
        messages_of, changes_of = _sorted(found), _sorted(changes)
        for name, follower, above, upto in wants:
            if connection.closed:
                break
            page = page_of(above, upto, messages_of.get(name, []), changes_of.get(name, []), limit)
            self._give(connection, name, follower, page)
        size = sum(item.size for item in found) / len(found) if found else 1.0
        return max(MIN_ROWS, min(MAX_ROWS, int(PAGE_BYTES / max(size, 1.0))))

    def _give(self, connection: Connection, name: str, follower: Follower, page: Page) -> None:
        was_member = follower.member
        now = self._clock()
        for item in follower.given(page):
            if isinstance(item, StoredChange):
                connection.send(change_frame(item))
            else:
                self.sent += 1
                connection.send(message_frame(item, connection.device_id, now))
        feed = self._hub.feeds.get(name)
        if feed is not None and follower.member:
            feed.found(page)
        follower.reached(self._head(name, follower))
        if was_member and not follower.member:
            self._hub.leave(name, follower)


Item = Any


def _sorted(items: Sequence[Item]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.conversation_id, []).append(item)
    return found


_SYNCED = encode(frames.Synced())
