"""Hearing of removed devices, so that their keys go at once.

An event only says where to look: what is removed is what auth's views no longer have. Whatever is missed here
(the bus was away, too many at once) is found by the sweep; until then the views keep it from being shown. The
keys of deleted users go by durable work (core/work.py).
"""

from collections.abc import Awaitable, Callable, Sequence

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from messenger.core.bus.connection import Bus
from messenger.wire import events
from messenger.wire.codec import Decoder
from messenger.wire.errors import Problem

MOST_PENDING = 10_000

log = Logger()
_device_changed = Decoder[events.DeviceChanged](events.DeviceChanged)


class Departures:
    """Calls `forget(device_ids)` for those of which the bus says that they went."""

    def __init__(self, bus: Bus, forget: Callable[[Sequence[str]], Awaitable[None]]) -> None:
        self._forget = forget
        self._devices: set[str] = set()
        self._working = False
        bus.on(events.DEVICE, self._hear_device)

    def _hear_device(self, _subject: str, payload: bytes) -> None:
        event = _device_changed.decode(payload)
        if event.event == "removed" and len(self._devices) < MOST_PENDING:
            self._devices.add(event.device_id)
            self._begin()

    def _begin(self) -> None:
        if not self._working:
            self._working = True
            ensureDeferred(self._work())

    async def _work(self) -> None:
        try:
            while self._devices:
                devices = sorted(self._devices)
                self._devices.clear()
                await self._forget(devices)
        except Problem as problem:
            log.warn("removed devices' keys wait for the sweep: {detail}", detail=problem.detail)
        except Exception:
            log.failure("removed devices' keys wait for the sweep")
        finally:
            self._working = False
