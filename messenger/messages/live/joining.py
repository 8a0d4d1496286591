"""Who follows what: a socket that opens, a user who has become a member, and what is asked for again.

What is read of memberships may be old news by the time it is here; a follower knows what to make of that.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from messenger.core.waits import pause
from messenger.messages.live.backlog import Backlog
from messenger.messages.live.connection import Connection
from messenger.messages.live.delivery import Delivery
from messenger.messages.live.follower import Follower
from messenger.messages.live.hub import Hub
from messenger.messages.model import Membership
from messenger.wire import frames
from messenger.wire.errors import Problem

if TYPE_CHECKING:
    from messenger.messages.live.lookups import Lookups

RETRY_SECONDS = 0.5

log = Logger()


async def _at_once(_user_id: str) -> None:
    """Where there are no others to hear."""


class Joining:
    """Has sockets follow conversations. `known(user)` returns once what happens to a user is heard here."""

    def __init__(
        self,
        reactor: Any,
        hub: Hub,
        lookups: "Lookups",
        backlog: Backlog,
        delivery: Delivery,
        known: Callable[[str], Awaitable[None]] = _at_once,
    ) -> None:
        self._reactor = reactor
        self._hub = hub
        self._lookups = lookups
        self._backlog = backlog
        self._delivery = delivery
        self._known = known

    def open(self, connection: Connection) -> None:
        """Start sending what the device has not acknowledged; `synced` follows, then what comes live."""
        ensureDeferred(self._open(connection))

    async def _open(self, connection: Connection) -> None:
        await self._known(connection.user_id)
        await self._follow(connection)
        connection.opening = False
        await self._backlog.bring_up(connection)

    def join(self, user_id: str, conversation_id: str) -> None:
        """The user may have become a member: have its sockets follow the conversation, if it is one."""
        for connection in list(self._hub.sockets_of(user_id)):
            ensureDeferred(self._join(connection, conversation_id))

    async def _join(self, connection: Connection, conversation_id: str) -> None:
        await self._follow(connection, conversation_id)
        await self._backlog.bring_up(connection)

    async def _follow(self, connection: Connection, only: str | None = None) -> None:
        """Read the user's memberships, one or all, and have the connection follow these conversations."""
        while not connection.closed:
            try:
                if connection.opening:
                    connection.apart |= frozenset(await self._lookups.apart(connection.user_id))
                found = await self._lookups.memberships(connection.user_id, connection.device_id, only)
            except Problem as problem:
                log.warn(
                    "a socket's conversations can't be read, and are tried again: {detail}",
                    detail=problem.detail,
                )
                await pause(self._reactor, RETRY_SECONDS)
            except Exception:
                log.failure("a socket's conversations can't be read")
                connection.close(frames.GOING_AWAY, "connect again")
            else:
                for membership in [] if connection.closed else found:
                    self._enter(connection, membership)
                return

    def _enter(self, connection: Connection, found: Membership) -> None:
        name = found.conversation_id
        follower = connection.followers.get(name)
        was_member = follower is not None and follower.member
        if follower is None:
            follower = Follower(connection, found.cursor, found.head if found.left else None)
        else:
            follower.membership(found)
        if not follower.member:
            connection.followers[name] = follower
            follower.reached(found.head)
            return
        feed = self._hub.feed_of(name, found.head)
        if not was_member:
            connection.followers[feed.conversation_id] = follower
            feed.followers += (follower,)
        self._delivery.reach(name, found.head)
        follower.reached(feed.head)

    async def resend(self, connection: Connection, conversation_id: str, after: int) -> None:
        """Send again what follows `after`, own messages included, as far as the user may see it.

        Returns once it is known what that is; the rest takes as long as the client takes to read it.
        """
        try:
            first = await self._lookups.first_seq(connection.user_id, conversation_id)
        except Problem as problem:
            connection.close(frames.GOING_AWAY, f"connect again: {problem.detail}"[:120])
            return
        follower = connection.followers.get(conversation_id)
        if first is not None and follower is not None:
            follower.resend(max(after, first - 1))
            ensureDeferred(self._backlog.bring_up(connection))
