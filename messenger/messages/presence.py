"""Presence: who is online, away or offline, across instances and after crashes.

What changes here is gathered for a moment and written to PostgreSQL, then told to the peers who may see it,
on all instances. A device that closes its socket is given `GRACE_SECONDS` to come back before its user is
offline. An instance renews its row every `RENEW_SECONDS`; when one has not done so for `ALIVE_SECONDS`, any
other buries it and tells that its users are offline: within 90 s of a crash.

Nothing waits for presence, and none is ever lost for good: what could not be written is written later, and
each renewal notes all that is seen here again where this instance was taken for dead.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from msgspec import Raw
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from messenger.core.bus.connection import Bus
from messenger.core.clock import clock_of
from messenger.core.ids import new_id
from messenger.messages.batch_loader import BatchLoader
from messenger.messages.live.connection import Connection
from messenger.messages.live.hub import Hub
from messenger.messages.model import Seen
from messenger.wire import events, frames
from messenger.wire.codec import Decoder, encode
from messenger.wire.errors import Problem
from messenger.wire.shards import shards_of
from messenger.wire.times import rfc3339

if TYPE_CHECKING:
    from messenger.messages.store.presence import PresenceStore

FLUSH_SECONDS = 0.2  # what changes within them is written at once
PACE_SECONDS = 1.0  # between two writes: who changes all the time costs one of them a second
RETRY_SECONDS = 1.0
GRACE_SECONDS = 5.0
RENEW_SECONDS = 15.0
ALIVE_SECONDS = 50.0
BATCH = 1_000

log = Logger()
_event = Decoder[events.PresenceChanged](events.PresenceChanged)


class Presence:
    """The presence of the devices that are connected here.

    `gone(users)` hears of users of whom a device is not seen any more, here or on an instance that has died.
    """

    def __init__(
        self,
        reactor: Any,
        store: "PresenceStore",
        hub: Hub,
        bus: Bus,
        gone: Callable[[Iterable[str]], object] = lambda _: None,
    ) -> None:
        self._reactor = reactor
        self._clock = clock_of(reactor)
        self._store = store
        self._seen_by = BatchLoader(reactor, store.seen_by)
        self._hub = hub
        self._bus = bus
        self._told_gone = gone
        self._instance_id = new_id()
        self._here: dict[str, Seen] = {}
        self._leaving: dict[str, Any] = {}
        self._changed: dict[str, Seen | None] = {}  # by device; None: gone
        self._owners: dict[str, str] = {}  # the users of the devices in _changed
        self._timer: Any = None
        self._not_before = 0.0  # when the next write may begin
        self._renewing = LoopingCall(lambda: ensureDeferred(self._renew()))
        self._renewing.clock = reactor
        bus.on(events.PRESENCE, self._hear, own=True)

    async def start(self) -> None:
        self._renewing.start(RENEW_SECONDS).addErrback(
            lambda why: log.failure("presence is no longer renewed; restart this instance", why)
        )

    async def stop(self) -> None:
        """The instance stops: its users are offline, unless they are seen elsewhere."""
        self._renewing.stop()
        for call in [self._timer, *self._leaving.values()]:
            if call is not None and call.active():
                call.cancel()
        self._leaving.clear()
        try:
            await self._tell(await self._store.leave(self._instance_id))
        except Problem as problem:
            log.warn(
                "users could not be set offline: {detail}; another instance does so within a minute",
                detail=problem.detail,
            )

    # what happens here

    def opened(self, connection: Connection) -> None:
        """A socket is open."""
        # Noted even where the device was just seen here: another instance may have seen it in between.
        self._here.pop(connection.device_id, None)
        self.set(connection, "online")

    def set(self, connection: Connection, status: str) -> None:
        """The device wishes to be seen as `online` or `away`."""
        identity = connection.identity
        call = self._leaving.pop(identity.device_id, None)
        if call is not None and call.active():
            call.cancel()
        seen = Seen(identity.device_id, identity.user_id, status)
        if self._here.get(identity.device_id) != seen:
            self._here[identity.device_id] = seen
            self._note(identity.device_id, identity.user_id, seen)

    def closed(self, connection: Connection) -> None:
        """The socket is closed; the device has a moment to come back, if no newer one is here already."""
        device_id = connection.device_id
        if self._hub.socket_of(device_id) is not None:
            return
        if device_id in self._here and device_id not in self._leaving and self._renewing.running:
            self._leaving[device_id] = self._reactor.callLater(GRACE_SECONDS, self._gone, device_id)

    def _gone(self, device_id: str) -> None:
        self._leaving.pop(device_id, None)
        seen = self._here.pop(device_id, None)
        if seen is not None:
            self._note(device_id, seen.user_id, None)

    def _note(self, device_id: str, user_id: str, seen: Seen | None) -> None:
        self._changed[device_id] = seen
        self._owners[device_id] = user_id
        if self._timer is None:
            self._wait(FLUSH_SECONDS)

    def _wait(self, seconds: float) -> None:
        """Write what has changed in `seconds`, or when its turn comes after that."""
        turn = self._not_before - self._reactor.seconds()
        self._timer = self._reactor.callLater(max(seconds, turn), self._start_flush)

    def _start_flush(self) -> None:
        self._not_before = self._reactor.seconds() + PACE_SECONDS
        ensureDeferred(self._flush())

    async def _flush(self) -> None:
        changed = dict(list(self._changed.items())[:BATCH])
        owners = {device_id: self._owners.pop(device_id) for device_id in changed}
        left = {owners[device_id] for device_id, seen in changed.items() if seen is None}
        for device_id in changed:
            del self._changed[device_id]
        delay, written = FLUSH_SECONDS, False
        try:
            await self._store.note(
                self._instance_id,
                [seen for seen in changed.values() if seen is not None],
                [device_id for device_id, seen in changed.items() if seen is None],
            )
            written = True
            if left:
                self._told_gone(left)
            await self._tell(sorted(set(owners.values())))
        except Problem as problem:
            log.warn("presence can't be stored, and is tried again: {detail}", detail=problem.detail)
        except Exception:
            log.failure("presence can't be stored, and is tried again")
        if not written:
            delay = RETRY_SECONDS
            self._changed = {**changed, **self._changed}
            self._owners = {**owners, **self._owners}
        self._timer = None
        if self._changed and self._renewing.running:
            self._wait(delay)

    async def _renew(self) -> None:
        try:
            known = await self._store.renew(self._instance_id, ALIVE_SECONDS)
            if not known:
                for device_id, seen in self._here.items():
                    self._note(device_id, seen.user_id, seen)
            buried = await self._store.bury()
            if buried:
                self._told_gone(buried)
            await self._tell(buried)
        except Problem as problem:
            log.warn("this instance can't renew its presence: {detail}", detail=problem.detail)
        except Exception:
            # The renewing must go on: the instance would be taken for dead.
            log.failure("this instance can't renew its presence")

    # telling

    async def greet(self, connection: Connection) -> None:
        """Tell a socket that has been synced which of its peers are online."""
        try:
            found = await self._seen_by.load(connection.user_id)
        except Problem as problem:
            log.warn("a socket was not told who is online: {detail}", detail=problem.detail)
            return
        for user_id, status in found:
            connection.say(self._frame(user_id, status))

    def _frame(self, user_id: str, status: str) -> frames.PresenceFrame:
        moment = rfc3339(self._clock())
        return frames.PresenceFrame(user_id=user_id, status=status, last_seen_at=moment)

    async def _tell(self, users: list[str]) -> None:
        if not users:
            return
        audience = await self._store.audience(users)
        if not audience:
            return
        status = await self._store.status(list(audience))
        for user_id, peers in audience.items():
            frame = encode(self._frame(user_id, status.get(user_id, "offline")))
            self._hub.tell_users(peers, frame)
            for subject, some in self._bus.split(events.PRESENCE, peers, lambda peer: shards_of((peer,))):
                event = events.PresenceChanged(origin=self._instance_id, peers=some, frame=Raw(frame))
                self._bus.tell(subject, encode(event))

    def _hear(self, _subject: str, payload: bytes) -> None:
        event = _event.decode(payload)
        if event.origin != self._instance_id:
            self._hub.tell_users(event.peers, bytes(event.frame))
