"""The numbers of events (origins.py) on a connection to NATS: given, heard, announced and watched.

Who hears no other instance announces itself rarely: one that comes says so at once, and is heard.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

from twisted.logger import Logger

from messenger.core.bus.link import Link
from messenger.core.bus.origins import ANNOUNCE_SECONDS, HEADER, Origin, Origins
from messenger.core.bus.streams import NEWS
from messenger.core.lean import without
from messenger.wire import events
from messenger.wire.codec import Decoder, encode

with without("aiohttp"):  # for NATS over WebSocket; 8 MB where it happens to be installed
    import nats.errors
    from nats.aio.msg import Msg

WATCH_SECONDS = 1.0
ALONE_SECONDS = 10.0  # where no others are heard

log = Logger()
_announced = Decoder[events.Announced](events.Announced)


class Numbering:
    """Of one instance. `seconds` is its clock, `missed` is called where events were."""

    def __init__(self, seconds: Callable[[], float], missed: Callable[[], object]) -> None:
        self._seconds = seconds
        self._missed = missed
        self._origin = Origin()
        self._heard: set[str] = set()
        self._origins = Origins(self._origin.name, self._heard)
        self._accompanied = asyncio.Event()

    def on(self, subject: str) -> None:
        """This subject is heard here."""
        if _numbered(subject):
            self._heard.add(subject)

    def headers(self, subject: str) -> dict[str, str]:
        """The headers, as far as they are these numbers, of an event that is published now."""
        return {HEADER: self._origin.next(subject)} if _numbered(subject) else {}

    def heard(self, message: Msg) -> None:
        """A message has come, on any subject."""
        if message.subject == events.ANNOUNCED:
            self._origins.announced(_announced.decode(message.data), self._seconds())
        elif message.headers is not None:
            self._origins.heard(message.headers.get(HEADER), message.subject, self._seconds())
        if self._origins.any:
            self._accompanied.set()

    def others(self) -> bool:
        """Whether other instances are heard."""
        return self._origins.any

    async def run(self, link: Link) -> None:
        """Look for what was missed, and announce how far this instance has come, at moments of its own."""
        announce_at = 0.0
        while not link.client.is_closed:
            now = self._seconds()
            try:
                self._look(link, now)
                if link.up and now >= announce_at:
                    announce_at = now + ANNOUNCE_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311
                    await link.client.publish(events.ANNOUNCED, encode(self._origin.announcement()))
            except nats.errors.Error as error:
                log.debug("NATS does not take an announcement: {error}", error=str(error))
            except Exception:
                # It must go on: the others would take this instance for dead.
                log.failure("what was missed can't be looked for")
            await self._pause()

    async def _pause(self) -> None:
        if self._origins.any:
            await asyncio.sleep(WATCH_SECONDS)
            return
        self._accompanied.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._accompanied.wait(), ALONE_SECONDS)

    def _look(self, link: Link, now: float) -> None:
        if not link.up:
            self._origins.deaf(now)
        elif self._origins.missed(now):
            log.info("events were missed: PostgreSQL is asked for what they told")
            self._missed()

    async def say_last(self, link: Link) -> None:
        """Announce that nothing more comes from here."""
        if link.up:
            await link.client.publish(events.ANNOUNCED, encode(self._origin.announcement(last=True)))


def _numbered(subject: str) -> bool:
    return subject.startswith(f"{NEWS}.")
