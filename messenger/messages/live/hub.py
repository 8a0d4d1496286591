"""The live side of one instance: who is connected here, in which conversations, and what they must hear.

What this instance commits is offered to its own feeds at once and published for the others; what the others
commit comes over the bus. Missing something is never final: a jump in the numbers is read from PostgreSQL,
and the heads of all connected conversations, and who has joined, are read again after every gap in the bus
and every few seconds.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import msgspec
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from messenger.core.bus import MAX_PAYLOAD, Bus
from messenger.core.identity import Identity
from messenger.core.ids import new_id
from messenger.core.outbox import Outbox
from messenger.core.waits import pause
from messenger.messages.live.backlog import Backlog
from messenger.messages.live.connection import Behind, Channel, Connection
from messenger.messages.live.feed import Delivered, Feed
from messenger.messages.live.feed import Reading as FeedReading
from messenger.messages.model import Draft, Head, Membership, Outcome, Stored
from messenger.messages.store.places import Risen
from messenger.wire import events, frames
from messenger.wire.codec import Decoder, encode
from messenger.wire.errors import Problem

HEAL_SECONDS = 5.0
HEAL_BATCH = 5_000
JOINED_SECONDS = 30.0  # a joining shows by then: longer than its transaction may take
RECENT = 10_000
RETRY_SECONDS = 0.5

log = Logger()
_heads_event = Decoder[events.Heads](events.Heads)
_told_event = Decoder[events.Told](events.Told)
_device_event = Decoder[events.DeviceChanged](events.DeviceChanged)
_attached_event = Decoder[events.Attached](events.Attached)
_prekeys_event = Decoder[events.PrekeysLow](events.PrekeysLow)
_pack = msgspec.msgpack.Encoder()


class _Item(msgspec.Struct, array_like=True):
    """A message in a batch on the bus; left undecoded where nobody here is in its conversation."""

    conversation_id: str
    seq: int
    change: int
    message: msgspec.Raw


_batch = msgspec.msgpack.Decoder(list[_Item])
_stored = msgspec.msgpack.Decoder(Stored)


class Store(FeedReading, Protocol):
    """What is wanted of the store, besides what feeds and backlogs read."""

    async def heads(self, conversation_ids: Sequence[str]) -> dict[str, Head]:
        """See store.messages.Messages.heads."""

    async def backlog(
        self, device_id: str, wants: Sequence[tuple[str, int, int]], limit: int
    ) -> list[Stored]:
        """See store.messages.Messages.backlog."""


class Places(Protocol):
    """What is wanted of the store about devices' places."""

    async def memberships(
        self, user_id: str, device_id: str, conversation_id: str | None = None
    ) -> list[Membership]:
        """See store.places.Places.memberships."""

    async def first_seq(self, user_id: str, conversation_id: str) -> int | None:
        """See store.places.Places.first_seq."""

    async def joined(self, seconds: float) -> list[tuple[str, str]]:
        """See store.places.Places.joined."""

    async def conversations_of(self, user_id: str) -> list[str]:
        """See store.places.Places.conversations_of."""


class Hub:
    """All feeds and connections of this instance.

    `delivered` is the feeds'. `closing` counts the sockets that were closed from here, by code.
    """

    def __init__(
        self,
        reactor: Any,
        store: Store,
        places: Places,
        bus: Bus,
        outbox: Outbox,
        unread_bytes: int,
        receipt_members: int,
        delivered: Delivered = lambda _seconds, _sockets: None,
    ) -> None:
        self._reactor = reactor
        self._store = store
        self._places = places
        self._bus = bus
        self._outbox = outbox
        self._origin = new_id()
        self._delivered = delivered
        self.closing: Counter[int] = Counter()
        self._receipt_members = receipt_members
        self._unread_bytes = unread_bytes
        self._feeds: dict[str, Feed] = {}
        self._users: dict[str, set[Connection]] = {}
        self._devices: dict[str, Connection] = {}
        # Heads heard of lately, also of conversations without a feed: one may be about to be made.
        self._recent: OrderedDict[str, Head] = OrderedDict()
        self._unflushed: list[Connection] = []
        self._synced_listeners: list[Callable[[Connection], object]] = []
        self._backlog = Backlog(reactor, store, self._feeds.get, self._now, self._was_synced)
        self._looked = reactor.seconds()  # for joinings, all that were before
        self._healing = LoopingCall(self._heal)
        self._healing.clock = reactor
        bus.on(events.HEADS, self._hear_heads)
        bus.on(events.BATCH, self._hear_batch)
        bus.on(events.DEVICE, self._hear_device)
        bus.on(events.PREKEYS, self._hear_prekeys)
        bus.on(events.TOLD, self._hear_told)
        bus.on(events.ATTACHED, self._hear_attached)
        bus.on_gap(self._heal)

    # start and stop

    async def start(self) -> None:
        self._healing.start(HEAL_SECONDS, now=False).addErrback(lambda why: log.failure("healing ended", why))

    async def stop(self) -> None:
        """Send every socket away with 1001."""
        self._healing.stop()
        for connection in list(self._devices.values()):
            connection.close(frames.GOING_AWAY, "the server is going away: connect again")

    @property
    def sockets(self) -> int:
        """How many sockets are open here."""
        return len(self._devices)

    @property
    def feeds(self) -> int:
        """How many conversations have sockets here."""
        return len(self._feeds)

    @property
    def unread(self) -> int:
        """Bytes of frames that clients here have not read."""
        return sum(connection.unread for connection in self._devices.values())

    @property
    def behind(self) -> int:
        """How many sockets here are still being sent what they had missed."""
        return sum(bool(connection.behind) for connection in self._devices.values())

    @property
    def caught_up(self) -> int:
        """How many messages went out that a device had missed."""
        return self._backlog.sent

    def _now(self) -> int:
        return int(self._reactor.seconds() * 1000)

    # connections

    def attach(self, channel: Channel, identity: Identity) -> Connection:
        """A new socket; an older one of the same device is closed with 4409."""
        older = self._devices.get(identity.device_id)
        if older is not None:
            older.close(frames.TAKEN_OVER, "a newer socket of this device has taken over")
        connection = Connection(self, channel, identity, self._unread_bytes)
        connection.since = self._now()
        self._devices[identity.device_id] = connection
        attached = events.Attached(origin=self._origin, device_id=identity.device_id, moment=connection.since)
        self._bus.tell(events.ATTACHED, encode(attached))
        self._users.setdefault(identity.user_id, set()).add(connection)
        return connection

    def open(self, connection: Connection) -> None:
        """Start sending what the device has not acknowledged; `synced` follows, then what comes live."""
        ensureDeferred(self._open(connection))

    async def _open(self, connection: Connection) -> None:
        identity = connection.identity
        while not connection.closed:
            try:
                found = await self._places.memberships(identity.user_id, identity.device_id)
                break
            except Problem as problem:
                log.warn("a socket has to wait: {detail}", detail=problem.detail)
                await pause(self._reactor, RETRY_SECONDS)
        if connection.closed:
            return
        for membership in found:
            self._enter(connection, membership)
        await self._backlog.bring_up(connection)

    def _enter(self, connection: Connection, membership: Membership) -> None:
        """Have the connection follow a conversation from its place on."""
        name, head, place = membership.conversation_id, membership.head, membership.place
        if head.change <= connection.left.get(name, 0):
            return  # read before its user's leaving, or of that leaving: this socket has been shown both
        feed = self._feeds.get(name)
        if membership.left:
            if feed is None or connection not in feed.connections:  # else the feed is about to say so
                connection.behind[name] = Behind(place.seq, place.change, end=head)
            return
        if feed is None:
            feed = self._feeds[name] = Feed(name, head, self._now, self._delivered)
        elif connection in feed.connections and place.change <= feed.change:
            return
        # In it and yet beyond it: the user has left and joined again, and the feed has heard of neither.
        feed.enter(connection, place)
        if place.seq < feed.seq or place.change < feed.change:
            connection.behind[name] = Behind(place.seq, place.change)
        self._reach(feed, self._recent.get(name, head))
        self._reach(feed, head)

    def on_synced(self, listener: Callable[[Connection], object]) -> None:
        """Call `listener(connection)` once a socket's first backlog is through; before `start`."""
        self._synced_listeners.append(listener)

    def _was_synced(self, connection: Connection) -> None:
        for listener in self._synced_listeners:
            listener(connection)

    def resend(self, connection: Connection, conversation_id: str, after: int) -> None:
        """Send again what follows `after`, own messages included, as far as the user may see it."""
        ensureDeferred(self._resend(connection, conversation_id, after))

    async def _resend(self, connection: Connection, conversation_id: str, after: int) -> None:
        try:
            first = await self._places.first_seq(connection.identity.user_id, conversation_id)
        except Problem as problem:
            connection.close(frames.GOING_AWAY, f"connect again: {problem.detail}"[:120])
            return
        feed = self._feeds.get(conversation_id)
        if first is None or feed is None or feed not in connection.feeds:
            return
        after = max(after, first - 1)
        behind = connection.behind.setdefault(conversation_id, Behind(feed.seq, feed.change))
        behind.own = True
        behind.seq = min(behind.seq, after)
        await self._backlog.bring_up(connection)

    def detach(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        identity = connection.identity
        if self._devices.get(identity.device_id) is connection:
            del self._devices[identity.device_id]
        mine = self._users.get(identity.user_id)
        if mine is not None:
            mine.discard(connection)
            if not mine:
                del self._users[identity.user_id]
        for feed in list(connection.feeds):
            feed.drop(connection)
            if not feed.connections:
                self._feeds.pop(feed.conversation_id, None)
        connection.behind.clear()

    def end_session(self, ended: events.SessionEnded) -> None:
        """Close the socket of a session that has ended."""
        connection = self._devices.get(ended.device_id)
        if connection is not None and connection.identity.session_id == ended.session_id:
            connection.close(frames.TOKEN_EXPIRED, "the session has ended")

    def flush_later(self, connection: Connection) -> None:
        """Flush the connection at the end of this turn, together with all others that were written to."""
        if not self._unflushed:
            self._reactor.callLater(0, self._flush)
        self._unflushed.append(connection)

    def _flush(self) -> None:
        unflushed, self._unflushed = self._unflushed, []
        for connection in unflushed:
            try:
                connection.flush()
            except Exception:
                # One broken socket must not keep the others of this turn from theirs.
                log.failure("a socket could not be written to")
                connection.gone()

    # what happened here

    def committed(self, event_id: str, drafts: list[tuple[Draft, Outcome]]) -> None:
        """Messages that this instance has just committed under `event_id`: deliver here, tell the others."""
        items: list[_Item] = []
        size = 0
        for draft, outcome in drafts:
            stored = Stored(
                conversation_id=draft.conversation_id,
                seq=outcome.seq,
                sender_id=draft.user_id,
                sender_device_id=draft.device_id,
                client_id=draft.client_id,
                kind=draft.kind,
                content=draft.content,
                envelopes=draft.envelopes,
                created=outcome.created,
                expires=outcome.expires,
            )
            packed = _pack.encode(stored)
            size += len(packed) + 64
            items.append(_Item(stored.conversation_id, stored.seq, outcome.change, msgspec.Raw(packed)))
            self._offer(stored, outcome.change)
        if size <= MAX_PAYLOAD:
            self._outbox.send(event_id, events.BATCH, _pack.encode(items))
        else:
            latest = {item.conversation_id: item for item in items}
            heads = [
                events.ConversationHead(conversation_id=name, seq=item.seq, change=item.change)
                for name, item in latest.items()
            ]
            self.changed(event_id, events.Heads(heads=heads))

    def changed(self, event_id: str, heads: events.Heads) -> None:
        """Conversations that this instance has just moved under `event_id`: look here, tell the others."""
        self._take_heads(heads)
        self._outbox.send(event_id, events.HEADS, encode(heads))

    # what the bus says

    def _hear_batch(self, _subject: str, payload: bytes) -> None:
        for item in _batch.decode(payload):
            feed = self._feeds.get(item.conversation_id)
            if feed is None:
                self._remember(item.conversation_id, Head(item.seq, item.change))
            elif item.seq > feed.seq:
                self._offer(_stored.decode(item.message), item.change)

    def _hear_heads(self, _subject: str, payload: bytes) -> None:
        self._take_heads(_heads_event.decode(payload))

    def _take_heads(self, event: events.Heads) -> None:
        for moved in event.heads:
            head = Head(moved.seq, moved.change)
            feed = self._feeds.get(moved.conversation_id)
            self._remember(moved.conversation_id, head)
            if feed is not None:
                self._reach(feed, head)
            for user_id in event.users:
                for connection in list(self._users.get(user_id, ())):
                    ensureDeferred(self._join(connection, moved.conversation_id))

    async def _join(self, connection: Connection, conversation_id: str) -> None:
        identity = connection.identity
        try:
            found = await self._places.memberships(identity.user_id, identity.device_id, conversation_id)
        except Problem as problem:
            # Healing comes by within seconds.
            log.warn("a membership has to wait: {detail}", detail=problem.detail)
            return
        for membership in found:
            if not connection.closed:
                self._enter(connection, membership)
        await self._backlog.bring_up(connection)

    def _hear_device(self, _subject: str, payload: bytes) -> None:
        event = _device_event.decode(payload)
        if event.event == "removed":
            mine = self._devices.get(event.device_id)
            if mine is not None:
                mine.close(frames.TOKEN_EXPIRED, "the device was removed")
        ensureDeferred(self._tell_device(event))

    async def _tell_device(self, event: events.DeviceChanged) -> None:
        """Tell those here who share a conversation with the device's user, and its other devices."""
        try:
            names = await self._places.conversations_of(event.user_id)
        except Problem as problem:
            log.warn("a device's change stays untold: {detail}", detail=problem.detail)
            return
        reached = set(self._users.get(event.user_id, ()))
        for name in names:
            feed = self._feeds.get(name)
            if feed is not None:
                reached.update(feed.connections)
        frame = encode(
            frames.DeviceFrame(event=event.event, user_id=event.user_id, device_id=event.device_id)
        )
        for connection in reached:
            if connection.device_id != event.device_id:
                connection.send(frame)

    def _hear_prekeys(self, _subject: str, payload: bytes) -> None:
        event = _prekeys_event.decode(payload)
        connection = self._devices.get(event.device_id)
        if connection is not None:
            connection.say(frames.PrekeysFrame(one_time_prekeys=event.one_time_prekeys))

    def _hear_attached(self, _subject: str, payload: bytes) -> None:
        event = _attached_event.decode(payload)
        mine = self._devices.get(event.device_id)
        if event.origin != self._origin and mine is not None and mine.since <= event.moment:
            mine.close(frames.TAKEN_OVER, "a newer socket of this device has taken over")

    # what may be lost

    def typing(self, connection: Connection, conversation_id: str, is_typing: bool) -> None:
        """A member is typing: for the other members, if it is one."""
        feed = self._feeds.get(conversation_id)
        if feed is None or feed not in connection.feeds:
            return
        identity = connection.identity
        frame = frames.TypingFrame(
            conversation_id=feed.conversation_id, user_id=identity.user_id, is_typing=is_typing
        )
        told = events.Told(
            origin=self._origin,
            conversation_id=feed.conversation_id,
            user_id=identity.user_id,
            device_id=identity.device_id,
            others=True,
            own=False,
            frame=msgspec.Raw(encode(frame)),
        )
        self._tell(told)
        self._bus.tell(events.TOLD, encode(told))

    def tell_users(self, user_ids: Sequence[str], frame: bytes) -> None:
        """Send an encoded frame to all sockets that these users have here."""
        for user_id in user_ids:
            for connection in list(self._users.get(user_id, ())):
                connection.send(frame)

    def risen(self, kind: Literal["delivered", "read"], members: list[Risen]) -> None:
        """Members have come further: receipts for their own other devices, and in small groups for all."""
        for member in members:
            frame = frames.Receipt(
                kind=kind,
                conversation_id=member.conversation_id,
                user_id=member.user_id,
                seq=member.seq,
            )
            told = events.Told(
                origin=self._origin,
                conversation_id=member.conversation_id,
                user_id=member.user_id,
                device_id=member.device_id,
                others=member.member_count <= self._receipt_members,
                own=True,
                frame=msgspec.Raw(encode(frame)),
            )
            self._tell(told)
            self._bus.tell(events.TOLD, encode(told))

    def _hear_told(self, _subject: str, payload: bytes) -> None:
        told = _told_event.decode(payload)
        if told.origin != self._origin:
            self._tell(told)

    def _tell(self, told: events.Told) -> None:
        feed = self._feeds.get(told.conversation_id)
        if feed is None:
            return
        for connection in list(feed.connections):
            same = connection.identity.user_id == told.user_id
            if (told.own if same else told.others) and connection.device_id != told.device_id:
                connection.send(bytes(told.frame))

    # feeds

    def _offer(self, stored: Stored, change: int) -> None:
        self._remember(stored.conversation_id, Head(stored.seq, change))
        feed = self._feeds.get(stored.conversation_id)
        if feed is not None and not feed.offer(stored, change):
            ensureDeferred(self._fill(feed))

    def _reach(self, feed: Feed, head: Head) -> None:
        if not feed.reach(head):
            ensureDeferred(self._fill(feed))

    async def _fill(self, feed: Feed) -> None:
        try:
            await feed.fill(self._store)
        except Problem as problem:
            # Healing comes by within seconds.
            log.warn("a conversation has to wait: {detail}", detail=problem.detail)
        for connection in list(feed.connections):
            if feed.conversation_id in connection.behind:
                await self._backlog.bring_up(connection)
        # The last one here may have been removed; a feed that nobody fills would fall behind.
        if not feed.connections and self._feeds.get(feed.conversation_id) is feed:
            del self._feeds[feed.conversation_id]

    def _remember(self, conversation_id: str, head: Head) -> None:
        self._recent[conversation_id] = head
        self._recent.move_to_end(conversation_id)
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)

    def _heal(self) -> Deferred[None]:
        return ensureDeferred(self._look())

    async def _look(self) -> None:
        """Look in PostgreSQL for what the bus may not have told."""
        try:
            await self._find_joined()
            await self._read_heads()
        except Problem as problem:
            log.warn("heads can't be read: {detail}", detail=problem.detail)
        except Exception:
            # Whatever it was, the next look is in a few seconds: healing must not end.
            log.failure("heads can't be read")

    async def _find_joined(self) -> None:
        began = self._reactor.seconds()
        for name, user_id in await self._places.joined(began - self._looked + JOINED_SECONDS):
            feed = self._feeds.get(name)
            for connection in list(self._users.get(user_id, ())):
                if feed is None or connection not in feed.connections:
                    ensureDeferred(self._join(connection, name))
        self._looked = began

    async def _read_heads(self) -> None:
        for names in _chunks(list(self._feeds), HEAL_BATCH):
            for name, head in (await self._store.heads(names)).items():
                feed = self._feeds.get(name)
                if feed is not None:
                    self._reach(feed, head)


def _chunks(names: list[str], size: int) -> list[list[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]
