"""Events about devices: opened on another instance, published or removed, short of prekeys."""

from typing import TYPE_CHECKING

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from messenger.core.bus.connection import Bus
from messenger.core.ids import new_id
from messenger.messages.live.connection import Connection
from messenger.messages.live.hub import Hub
from messenger.wire import events, frames
from messenger.wire.codec import Decoder, encode
from messenger.wire.errors import Problem

if TYPE_CHECKING:
    from messenger.messages.store.cursors import CursorStore

log = Logger()
_device_event = Decoder[events.DeviceChanged](events.DeviceChanged)
_attached_event = Decoder[events.Attached](events.Attached)
_prekeys_event = Decoder[events.PrekeysLow](events.PrekeysLow)


class DeviceEvents:
    """Tells this instance's sockets, and sees to it that a device has one socket on all instances."""

    def __init__(self, hub: Hub, cursors: "CursorStore", bus: Bus) -> None:
        self._hub = hub
        self._cursors = cursors
        self._bus = bus
        self._origin = new_id()
        hub.on_attached(self._tell_attached)
        bus.on(events.DEVICE, self._hear_device)
        bus.on(events.PREKEYS, self._hear_prekeys)
        bus.on(events.ATTACHED, self._hear_attached)

    def _tell_attached(self, connection: Connection) -> None:
        attached = events.Attached(
            origin=self._origin, device_id=connection.device_id, moment=connection.since
        )
        self._bus.tell(events.ATTACHED, encode(attached))

    def _hear_attached(self, _subject: str, payload: bytes) -> None:
        event = _attached_event.decode(payload)
        mine = self._hub.socket_of(event.device_id)
        if mine is not None and (mine.since, self._origin) < (event.moment, event.origin):
            mine.close(frames.TAKEN_OVER, "a newer socket of this device has taken over")

    def _hear_device(self, _subject: str, payload: bytes) -> None:
        event = _device_event.decode(payload)
        if event.event == "removed":
            mine = self._hub.socket_of(event.device_id)
            if mine is not None:
                mine.close(frames.TOKEN_EXPIRED, "the device was removed")
        ensureDeferred(self._tell_device(event))

    async def _tell_device(self, event: events.DeviceChanged) -> None:
        """Tell its user's other devices here, and those who share a conversation if it does not wait."""
        try:
            names = [] if event.waiting else await self._cursors.conversations_of(event.user_id)
        except Problem as problem:
            log.warn("a device's change is not told to its peers: {detail}", detail=problem.detail)
            return
        reached = set(self._hub.sockets_of(event.user_id))
        for name in names:
            reached.update(self._hub.sockets_in(name))
        frame = encode(
            frames.DeviceFrame(event=event.event, user_id=event.user_id, device_id=event.device_id)
        )
        for connection in reached:
            if connection.device_id != event.device_id:
                connection.send(frame)

    def _hear_prekeys(self, _subject: str, payload: bytes) -> None:
        event = _prekeys_event.decode(payload)
        connection = self._hub.socket_of(event.device_id)
        if connection is not None:
            connection.say(frames.PrekeysFrame(one_time_prekeys=event.one_time_prekeys))
