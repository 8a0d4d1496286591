"""Whether the servers of a cluster store for us: a stream needs a leader, and that one a majority.

The stream is asked once a second, and its leader answers. While one is elected, for some seconds after it has
gone, nobody does, and that is nothing to act on: hearers hear each other all the same. Nobody answers either
where our server alone is cut off from the others; then one of these is asked by a connection of its own, and
where that one can reach the leader we go there. A server that is the only one has no leader to lose: it is
asked when it did not store something, and rarely besides.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from twisted.logger import Logger

from messenger.core.bus.servers import here, name_of
from messenger.core.bus.streams import Streams
from messenger.core.lean import without
from messenger.core.settings import Nats

with without("aiohttp"):  # for NATS over WebSocket; 8 MB where it happens to be installed
    import nats
    import nats.errors
    import nats.js.errors

if TYPE_CHECKING:
    from messenger.core.bus.link import Link

ASK_SECONDS = 1.0
REST_SECONDS = 30.0  # where one server is all there is
SCOUT_SECONDS = 2.0  # of silence before others are asked, and between
GROW_SECONDS = 60.0

log = Logger()


class Quorum:
    """Asks over `link`. `found(answers)` is called when it changes whether the streams are there and
    answer."""

    def __init__(
        self, link: "Link", settings: Nats, streams: Streams, found: Callable[[bool], object]
    ) -> None:
        self.answers = False
        self._link = link
        self._settings = settings
        self._streams = streams
        self._found = found
        self._silent = 0.0
        self._asked_at = float("-inf")
        self._waked = asyncio.Event()

    async def start(self) -> None:
        """Make the streams, and go on asking. ServiceUnavailableError where nobody has heard of JetStream;
        that there is no majority at the moment is no error."""
        try:
            await self._streams.make()
            self.answers = True
        except (nats.errors.Error, nats.js.errors.ServiceUnavailableError) as error:
            if isinstance(error, nats.js.errors.ServiceUnavailableError) and error.err_code is None:
                raise
            log.warn("NATS is there, its streams are not: {error}", error=str(error) or type(error).__name__)
        self._link.keep(self._run())

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        grown = clock()
        while not self._link.client.is_closed:
            if self._link.up:
                began = self._asked_at = clock()
                self._note(await self._ask(make=not self.answers))
                self._silent = 0.0 if self.answers else self._silent + max(ASK_SECONDS, clock() - began)
                if self._silent >= SCOUT_SECONDS and self._link.servers.several:
                    self._silent = 0.0
                    await self._scout()
                if self.answers and self._streams.short and clock() - grown > GROW_SECONDS:
                    grown = clock()
                    await self._ask(make=True)  # as many servers as wanted may be there now
            with suppress(TimeoutError):
                await asyncio.wait_for(self._waked.wait(), self._pause)
            self._waked.clear()

    @property
    def _pause(self) -> float:
        alone = self._settings.replicas == 1 and not self._link.servers.several
        return REST_SECONDS if alone and self.answers else ASK_SECONDS

    def doubt(self) -> None:
        """Something was not stored: they are asked, if they were not a moment ago."""
        if asyncio.get_running_loop().time() - self._asked_at >= ASK_SECONDS:
            self._waked.set()

    def forget(self) -> None:
        """Nothing is known of the streams, as after a new connection: they are made before they are asked."""
        self._note(False)
        self._waked.set()

    def _note(self, answers: bool) -> None:
        if answers != self.answers:
            self.answers = answers
            self._found(answers)

    @property
    def _patience(self) -> float:
        return max(ASK_SECONDS, 3 * self._link.watch.patience.seconds)

    async def _ask(self, *, make: bool) -> bool:
        try:
            if make:
                await self._streams.make()
            else:
                await self._streams.ask(self._patience)
        except Exception as error:
            # Whatever it was: nobody else asks, and asks again.
            log.debug("NATS' streams don't answer: {error}", error=str(error) or type(error).__name__)
            return False
        return True

    async def _scout(self) -> None:
        """Go where the streams are in reach, if they are not here."""
        at = here(self._link.client)
        for server in self._link.servers.others(at):
            name = name_of(server)
            if not await self._reaches(server.uri.geturl()):
                continue
            # It may be that a leader has just been elected.
            if here(self._link.client) == at and not await self._ask(make=True):
                log.warn("NATS at {at} is apart from the others: going to {name}", at=at, name=name)
                self._link.move(name)
            return

    async def _reaches(self, url: str) -> bool:
        """Whether the streams answer by the server at `url`."""
        try:
            async with asyncio.timeout(2 * self._patience):
                client = await nats.connect(
                    servers=[url],
                    user=self._settings.user or None,
                    password=self._settings.password or None,
                    allow_reconnect=False,
                    connect_timeout=max(1, int(self._patience)),
                    error_cb=_ignore,
                )
                try:
                    await Streams(client.jetstream(), 1).ask(self._patience)
                finally:
                    with suppress(nats.errors.Error, OSError):
                        await client.close()
        except (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError):
            return False
        return True


async def _ignore(_error: Exception) -> None:
    """Ignore it: the answer tells."""
