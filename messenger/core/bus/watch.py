"""Whether the server of NATS that we are at answers: asked four times a second while that matters.

It matters all the time where there is another server to go to, or another instance to hear. Where there is
neither, nothing is heard but what was said here: then it is asked after something was said, and otherwise
rarely, so that a server that does nothing costs nothing.

nats-py's own pings take half a minute to tell a server that hangs or is cut off. How long an answer may take
follows from how long answers have taken, in the manner of TCP's retransmission timer (RFC 6298): half a
second on a fast network, up to PATIENCE_MOST on a slow one.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from twisted.logger import Logger

from messenger.core.bus.servers import deaf
from messenger.core.lean import without

with without("aiohttp"):  # for NATS over WebSocket; 8 MB where it happens to be installed
    from nats.aio.client import Client

PROBE_SECONDS = 0.25
REST_SECONDS = 5.0  # where it does not matter
PATIENCE_LEAST, PATIENCE_MOST = 0.5, 5.0
STALL_SECONDS = 0.05
UNBOUNDED_SECONDS = 86_400

log = Logger()


class Patience:
    """How many seconds an answer may take, after those that came."""

    def __init__(self) -> None:
        self.smoothed = 0.0
        self._varied = 0.0

    def note(self, seconds: float) -> None:
        """An answer took that long."""
        if not self.smoothed:
            self.smoothed, self._varied = seconds, seconds / 2
            return
        self._varied += (abs(seconds - self.smoothed) - self._varied) / 4
        self.smoothed += (seconds - self.smoothed) / 8

    def missed(self) -> None:
        """An answer did not come in time: wait for longer next time."""
        self.smoothed = min(PATIENCE_MOST, max(self.smoothed, self.seconds / 4) * 2)

    @property
    def seconds(self) -> float:
        return min(PATIENCE_MOST, max(PATIENCE_LEAST, 2 * self.smoothed + 4 * self._varied))


class Watch:
    """Asks by `client`; `heard(answers)` is called when that changes. `matters()`: all the time, and not only
    after something was said."""

    def __init__(
        self, client: Client, heard: Callable[[bool], object], matters: Callable[[], bool] = lambda: True
    ) -> None:
        self.answers = True
        self.patience = Patience()
        self._client = client
        self._heard = heard
        self._matters = matters
        self._said = asyncio.Event()
        self._asked: asyncio.Future[None] | None = None

    def said(self) -> None:
        """Something is said by it now, or there is another reason to ask soon."""
        self._said.set()

    async def run(self) -> None:
        """Ask for as long as the client is open."""
        while not self._client.is_closed:
            self._said.clear()
            answers = True  # a lost connection is told of elsewhere
            if self._client.is_connected:
                answers = await self._ask()
            if answers != self.answers:
                self.answers = answers
                self._heard(answers)
            await asyncio.sleep(PROBE_SECONDS)
            if self.answers and self._client.is_connected and not self._matters():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._said.wait(), REST_SECONDS)

    async def _ask(self) -> bool:
        if deaf(self._client):
            return False
        # A question is never taken back while the connection lasts: nats-py goes deaf when the answer to one
        # that was cancelled arrives after all.
        asked = self._asked
        if asked is None:
            asked = self._asked = asyncio.ensure_future(self._client.flush(timeout=UNBOUNDED_SECONDS))
            begin = asyncio.get_running_loop().time()
            asked.add_done_callback(lambda done: self._answered(done, begin))
        await asyncio.wait({asked}, timeout=self.patience.seconds)
        if not asked.done():
            # Perhaps it is this process that was busy: what came meanwhile is read first.
            await asyncio.wait({asked}, timeout=STALL_SECONDS)
        if self._asked is not asked:
            return True  # of a connection that is gone
        if asked.done():
            self._asked = None
        elif self.answers:
            self.patience.missed()
        return asked.done()

    def _answered(self, asked: asyncio.Future[None], begin: float) -> None:
        if asked.cancelled():
            return
        if (error := asked.exception()) is not None:
            log.debug("NATS was asked in vain: {error}", error=str(error))
        elif self._asked is asked or self._asked is None:
            self.patience.note(asyncio.get_running_loop().time() - begin)

    def begin(self) -> None:
        """There is a new connection. What was asked on it already is left to be answered."""
        self._asked = None
        self.said()

    def forget(self) -> None:
        """The connection that was asked is gone, and with it the answer."""
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.cancel()
