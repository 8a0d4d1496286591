"""Typing: it goes past the stream, for it may be lost.

It is passed on at most once a second for each user and conversation, by who hears it from a socket and by
who hears it from the bus. What is not said again lapses. Instances of the version before tell each receipt in
this form too, so it says who is to have the frame.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from messenger.core.bus.connection import Bus
from messenger.core.ids import new_id
from messenger.messages.live.audience import Audience
from messenger.messages.live.connection import Connection
from messenger.messages.live.hub import Hub
from messenger.messages.live.pacing import Pacing
from messenger.wire import events, frames
from messenger.wire.codec import Decoder, encode

TYPING_SECONDS = 6.0

_told_event = Decoder[events.Told](events.Told)


class Signals:
    """Between sockets, here and elsewhere."""

    def __init__(self, reactor: Any, hub: Hub, audience: Audience, bus: Bus) -> None:
        self._reactor = reactor
        self._hub = hub
        self._audience = audience
        self._bus = bus
        self._origin = new_id()
        self._typing = Pacing(reactor)
        self._lapses: dict[tuple[str, str], Any] = {}  # by device and conversation: when it is typing no more
        bus.on(events.TOLD, self._hear, own=True)

    def typing(self, connection: Connection, conversation_id: str, is_typing: bool) -> None:
        """A member is typing: for the other members, if it is one."""
        follower = connection.followers.get(conversation_id)
        if follower is None or not follower.member:
            return
        who = (connection.device_id, conversation_id)
        lapse = self._lapses.pop(who, None)
        if lapse is not None:
            lapse.cancel()
        if is_typing:
            self._lapses[who] = self._reactor.callLater(TYPING_SECONDS, self._lapse, connection.user_id, *who)
        self._tell_typing(connection.user_id, *who, is_typing)

    def _lapse(self, user_id: str, device_id: str, conversation_id: str) -> None:
        del self._lapses[(device_id, conversation_id)]
        self._tell_typing(user_id, device_id, conversation_id, False)

    def _tell_typing(self, user_id: str, device_id: str, conversation_id: str, is_typing: bool) -> None:
        frame = frames.TypingFrame(conversation_id=conversation_id, user_id=user_id, is_typing=is_typing)
        self._tell(
            events.Told(
                origin=self._origin,
                conversation_id=conversation_id,
                user_id=user_id,
                device_id=device_id,
                others=True,
                own=False,
                frame=msgspec.Raw(encode(frame)),
                paced=True,
            )
        )

    def _tell(self, told: events.Told) -> None:
        def tell() -> None:
            self._tell_here(told)
            for subject, _ in self._bus.split(events.TOLD, [told], self._concerns):
                self._bus.tell(subject, encode(told))

        self._in_turn(told, tell)

    def _concerns(self, told: events.Told) -> int | None:
        return self._audience.of(told.conversation_id)

    def _in_turn(self, told: events.Told, tell: Callable[[], None]) -> None:
        if told.paced:
            self._typing.offer((told.user_id, told.conversation_id), tell)
        else:
            tell()

    def _hear(self, _subject: str, payload: bytes) -> None:
        told = _told_event.decode(payload)
        if told.origin != self._origin:
            self._in_turn(told, lambda: self._tell_here(told))

    def _tell_here(self, told: events.Told) -> None:
        for connection in self._hub.sockets_in(told.conversation_id):
            if told.user_id in connection.apart:
                continue  # a block stands between the two
            same = connection.user_id == told.user_id
            if (told.own if same else told.others) and connection.device_id != told.device_id:
                connection.send(bytes(told.frame))
