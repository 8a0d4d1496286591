"""The recurring work of the message service: expiry, and obeying the removal of accounts and devices.

An expired message's content is hidden at once by whoever renders it, and taken off the disk here, in short
batches. A deleted account is heard of on the bus; what the bus lost is found in the view
`auth.deleted_users`, which is looked at often, so the removal shows within seconds in any case, and as soon
as this service is up where it was down. All of it is idempotent and safe on several instances at once.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from messenger.core.bus.connection import Bus
from messenger.core.periodic import Periodic
from messenger.messages.model import HeadsEvent
from messenger.messages.store.upkeep import BATCH, UpkeepStore
from messenger.wire import events

EXPIRE_SECONDS = 300.0
DELETED_SECONDS = 8.0
CURSORS_SECONDS = 3_600.0

log = Logger()


class Housekeeping:
    """The recurring work of one instance; `publish` sends conversations that it changed."""

    def __init__(
        self, reactor: Any, store: UpkeepStore, bus: Bus, publish: Callable[[HeadsEvent], object]
    ) -> None:
        self._store = store
        self._publish = publish
        self._expiry = Periodic(reactor, EXPIRE_SECONDS, "expiry", self.expire)
        self._deleted = Periodic(reactor, DELETED_SECONDS, "removal of accounts", self.remove_users)
        self._cursors = Periodic(reactor, CURSORS_SECONDS, "removal of cursors", store.forget_cursors)
        self._removing = False
        bus.on(events.USER_DELETED, lambda _subject, _payload: ensureDeferred(self._hear()))

    async def start(self) -> None:
        for work in (self._expiry, self._deleted, self._cursors):
            await work.start()

    async def stop(self) -> None:
        for work in (self._cursors, self._deleted, self._expiry):
            await work.stop()

    async def expire(self) -> None:
        """Take all expired contents off the disk."""
        while await self._store.expire() == BATCH:
            log.debug("expired {count} messages, and going on", count=BATCH)

    async def _hear(self) -> None:
        try:
            await self.remove_users()
        except Exception:
            log.failure("an account could not be removed yet")

    async def remove_users(self) -> None:
        """End the memberships of all deleted users, and take their name off what they wrote."""
        if self._removing:
            return
        self._removing = True
        try:
            for user_id in await self._store.deleted_users():
                for conversation_id, left in await self._store.conversations_of(user_id):
                    if not left:
                        event = await self._store.depart(user_id, conversation_id)
                        if event is not None:
                            self._publish(event)
                    await self._store.forget_sender(user_id, conversation_id)
                await self._store.forget_member(user_id)
                log.info("a deleted user's memberships have ended", event="user_removed", user_id=user_id)
        finally:
            self._removing = False
