"""The numbers of events (origins.py) and what instances want to hear (routes.py), on a connection to NATS:
given, heard, announced and watched.

Who hears no other instance announces itself rarely: one that comes says so at once, and is heard.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from messenger.core.bus.origins import ANNOUNCE_SECONDS, HEADER, Origin, Origins
from messenger.core.bus.routes import Routes
from messenger.core.bus.streams import NEWS
from messenger.core.lean import without
from messenger.core.waits import within
from messenger.wire import events
from messenger.wire.codec import Decoder, encode

with without("aiohttp"):  # for NATS over WebSocket; 8 MB where it happens to be installed
    import nats.errors

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from messenger.core.bus.link import Link

WATCH_SECONDS = 1.0
ALONE_SECONDS = 10.0  # where no others are heard
GATHER_SECONDS = 0.005  # what is wanted in a burst is announced once
KNOWN_SECONDS = 0.5  # until who does not say that it knows is not waited for

log = Logger()
_announced = Decoder[events.Announced](events.Announced)
_noted = Decoder[events.Noted](events.Noted)


class Numbering:
    """Of one instance. `seconds` is its clock, `missed` is called where events were."""

    def __init__(self, reactor: Any, missed: Callable[[], object]) -> None:
        self._reactor = reactor
        self._seconds: Callable[[], float] = reactor.seconds
        self._missed = missed
        self._origin = Origin()
        self._heard: set[str] = set()
        self._origins = Origins(self._origin.name, self._heard)
        self._wake = asyncio.Event()
        self._accompanied = False
        self._announce_at = float("-inf")
        self._knowing: list[tuple[int, Deferred[None]]] = []  # who wait until all know a version
        self.routes = Routes(self._origin, self._seconds)

    def on(self, subject: str, own: bool) -> list[str]:
        """This subject is heard here, and with `own` what is sent on it to this instance alone; gives the
        subjects to subscribe to."""
        subjects = [subject]
        if own:
            subjects.append(self.routes.on(subject) if _numbered(subject) else self.routes.own(subject))
        self._heard.update(filter(_numbered, subjects))
        return subjects

    def want(self, shards: int) -> int:
        """These shards of users are to be heard; gives a version, to wait for."""
        version = self.routes.want(shards)
        self._wake.set()
        return version

    async def known(self, link: "Link | None", version: int) -> None:
        """Return once the others know what was wanted then, or when they have had the time."""
        if self.routes.known(version):
            return
        if link is not None and link.up:
            waiting: Deferred[None] = Deferred()
            self._knowing.append((version, waiting))
            with suppress(TimeoutError):
                return await within(self._reactor, KNOWN_SECONDS, waiting)
        self.routes.give_up(version)

    def _tell_known(self) -> None:
        knowing, self._knowing = self._knowing, []
        for version, waiting in knowing:
            if waiting.called:
                continue  # it has given up
            if self.routes.known(version):
                waiting.callback(None)
            else:
                self._knowing.append((version, waiting))

    def headers(self, subject: str) -> dict[str, str]:
        """The headers, as far as they are these numbers, of an event that is published now."""
        return {HEADER: self._origin.next(subject)} if _numbered(subject) else {}

    def heard(self, message: "Msg", link: "Link | None") -> None:
        """A message has come, on any subject."""
        if message.subject == events.ANNOUNCED:
            said = _announced.decode(message.data)
            self._origins.announced(said, self._seconds())
            answer = self.routes.announced(said)
            if answer is not None and link is not None:
                link.say(f"{events.NOTED}.{said.origin}", encode(answer))
            self._tell_known()
        elif message.subject == self.routes.own(events.NOTED):
            self.routes.noted(_noted.decode(message.data))
            self._tell_known()
            self._look_for_missed()
        elif message.headers is not None:
            self._origins.heard(message.headers.get(HEADER), message.subject, self._seconds())
        if self.routes.due or (self._origins.any and not self._accompanied):
            self._wake.set()

    @property
    def control(self) -> list[str]:
        """The subjects on which instances speak of themselves."""
        return [events.ANNOUNCED, self.routes.own(events.NOTED)]

    def others(self) -> bool:
        """Whether other instances are heard."""
        return self._origins.any

    async def run(self, link: "Link") -> None:
        """Take turns, at moments of its own."""
        while not link.client.is_closed:
            self._wake.clear()
            try:
                await self.turn(link)
            except nats.errors.Error as error:
                log.debug("NATS does not take an announcement: {error}", error=str(error))
            except Exception:
                # It must go on: the others would take this instance for dead.
                log.failure("what was missed can't be looked for")
            await self._pause()

    async def turn(self, link: "Link") -> None:
        """Look for what was missed, and announce how far this instance has come where it is time for that."""
        now = self._seconds()
        self._look(link, now)
        if link.up and (now >= self._announce_at or self.routes.due):
            self._announce_at = now + ANNOUNCE_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311
            await link.client.publish(events.ANNOUNCED, encode(self.routes.announcement()))

    async def _pause(self) -> None:
        self._accompanied = self._origins.any
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), WATCH_SECONDS if self._accompanied else ALONE_SECONDS)
            await asyncio.sleep(GATHER_SECONDS)

    def soon(self) -> None:
        """There is a new connection: the others are to hear of this instance again."""
        self.routes.due = True
        self._wake.set()

    def _look(self, link: "Link", now: float) -> None:
        if not link.up:
            self._origins.deaf(now)
            return
        missed = self._origins.missed(now)
        self.routes.keep(self._origins.names)
        self._tell_known()
        if missed:
            self._tell_missed()
        self._look_for_missed()

    def _look_for_missed(self) -> None:
        if self.routes.missed():
            self._tell_missed()

    def _tell_missed(self) -> None:
        log.info("events were missed: PostgreSQL is asked for what they told")
        self._missed()

    async def say_last(self, link: "Link") -> None:
        """Announce that nothing more comes from here."""
        if link.up:
            await link.client.publish(events.ANNOUNCED, encode(self.routes.announcement(last=True)))


def _numbered(subject: str) -> bool:
    return subject.startswith(f"{NEWS}.")
