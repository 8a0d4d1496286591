"""Whether the streams take what they are given: looked at where events go unanswered by a NATS that answers
otherwise, and made anew until they do."""

import asyncio
from collections.abc import Callable

from twisted.logger import Logger

from messenger.core.bus.jobs import Jobs
from messenger.core.bus.link import Link
from messenger.core.bus.streams import Streams
from messenger.core.room import Room

TRY_SECONDS = 2.0

log = Logger()


class StreamRoom:
    """Keeps `room` up to date. `there()`: NATS answers and its streams do; `changed()` is called when it may
    have become full or free, `gap()` when streams were made anew."""

    def __init__(
        self,
        link: Link,
        streams: Streams,
        jobs: Jobs,
        room: Room,
        there: Callable[[], bool],
        changed: Callable[[], object],
        gap: Callable[[], object],
    ) -> None:
        self._link = link
        self._streams = streams
        self._jobs = jobs
        self._room = room
        self._there = there
        self._changed = changed
        self._gap = gap
        self._trying = False

    def look(self) -> None:
        """Find out, unless that is under way."""
        if self._there() and not self._trying:
            self._trying = True
            self._link.keep(self._try())

    async def _try(self) -> None:
        try:
            while self._there():  # one that does not answer at all is another matter
                full = await self._streams.full()
                if full:
                    self._room.lost("its streams take no events", sure=False)
                    self._changed()
                elif not self._room.full or await self._streams.take_all():
                    self._room.found()
                    self._changed()
                    return
                await asyncio.sleep(TRY_SECONDS)
                if full:
                    await self._make_anew()
        finally:
            self._trying = False

    async def _make_anew(self) -> None:
        try:
            await self._streams.delete_full()
            self._jobs.forget()
            await self._streams.make()
        except Exception as error:
            # The disk is still full, most likely; the next try is soon.
            log.debug("NATS can't make its streams anew: {error}", error=str(error) or type(error).__name__)
            return
        self._gap()
