"""The connection that is kept: opened, used, renewed, and opened again with back-off when it goes.

Close codes say what to do (messenger/wire/frames.py): 4401 asks for a fresh token, 4409 means that somebody
else is connected as this very device, and is final; every other end is tried again.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable

from messenger.client import events
from messenger.client.errors import (
    RateLimited,
    ServerRefused,
    ServerUnreachable,
    SessionExpired,
)
from messenger.client.net.backoff import Backoff
from messenger.client.net.socket import BadFrame, Closed, ErrorFrame, Socket, opened
from messenger.client.net.tokens import EARLY, SessionTokens
from messenger.wire import frames

log = logging.getLogger("messenger.client")

State = events.ConnectionState
TOO_FAST_WAIT = 10.0
SENT_AWAY = frozenset((frames.GOING_AWAY, frames.TOO_SLOW))
STEADY = 30.0  # seconds after which a connection counts as one that held


class Connection:
    """Runs until it is cancelled, or until the session or the device is gone.

    `prepare` is awaited before each connection, `greeted` once the server has said hello, `serve` for the
    frames of each WebSocket message; `up` and `down` are called as the connection comes and goes. `spread` is
    asked how many seconds those who were sent away spread over. `draw` gives a random part, from 0 to 1.
    """

    def __init__(
        self,
        server: str,
        tokens: SessionTokens,
        *,
        first_retry: float,
        last_retry: float,
        timeout: float,
        prepare: Callable[[], Awaitable[None]],
        greeted: Callable[[frames.Hello], Awaitable[None]],
        serve: Callable[[Socket, list[object]], Awaitable[None]],
        up: Callable[[Socket], None],
        down: Callable[[], None],
        tell: Callable[[State, str, float | None], None],
        ended: Callable[[str], Awaitable[None]],
        identity: Callable[[], tuple[str, str]],
        spread: Callable[[], float],
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        opener: Callable[..., object] = opened,
    ) -> None:
        self._server = server
        self._tokens = tokens
        self._timeout = timeout
        self._backoff = Backoff(first_retry, last_retry, draw)
        self._prepare = prepare
        self._greeted = greeted
        self._serve = serve
        self._up = up
        self._down = down
        self._tell = tell
        self._ended = ended
        self._identity = identity
        self._spread = spread
        self._draw = draw
        self._clock = clock
        self._lasted = False  # whether the last connection did
        self._sleep = sleep
        self._opener = opener
        self.socket: Socket | None = None

    async def run(self) -> None:
        """Keep a connection."""
        while True:
            self._tell("connecting", "", None)
            wait = 0.0
            spread: float | None = None
            try:
                await self._prepare()
                await self._connected()
            except SessionExpired as error:
                await self._ended(error.code)
                return
            except Closed as error:
                if error.code == frames.TAKEN_OVER:
                    self._tell("taken_over", "Another process is connected as this device.", None)
                    await self._ended("taken_over")
                    return
                if error.code == frames.TOKEN_EXPIRED and not await self._renewed():
                    return
                wait = TOO_FAST_WAIT if error.code == frames.TOO_FAST else 0.0
                spread = self._spread() * self._draw() if error.code in SENT_AWAY else None
                detail = str(error)
            except RateLimited as error:
                wait, detail = error.retry_after, str(error)
            except (ServerUnreachable, ServerRefused, BadFrame) as error:
                detail = str(error)
            # One that sends away soon after each greeting is backed off from as well.
            seconds = spread if spread is not None and self._lasted else self._backoff.next(spread or wait)
            self._tell("offline", detail, seconds)
            await self._sleep(seconds)

    async def _renewed(self) -> bool:
        try:
            await self._tokens.renew(await self._tokens.access())
        except SessionExpired as error:
            await self._ended(error.code)
            return False
        except (ServerUnreachable, ServerRefused) as error:
            log.debug("the token could not be renewed now: %s", error)
        return True

    async def _connected(self) -> None:
        access = await self._tokens.access()
        try:
            await self._open(access)
        except ServerRefused as error:
            if error.status != 401:
                raise
            await self._tokens.renew(access)
            raise ServerUnreachable("The access token was not taken; another one is tried.") from None

    async def _open(self, access: str) -> None:
        async with self._opener(self._server, access, self._timeout) as socket:  # type: ignore[attr-defined]
            try:
                found = await asyncio.wait_for(socket.receive(), self._timeout)
            except TimeoutError:
                raise ServerUnreachable("The server takes a socket and says nothing.") from None
            hello = found[0] if found else None
            if not isinstance(hello, frames.Hello):
                raise BadFrame("The server does not greet.")
            if (hello.user_id, hello.device_id) != self._identity():
                raise BadFrame("The server greets another device than this one.")
            await self._greeted(hello)
            self.socket = socket
            self._up(socket)
            since = self._clock()
            renewing = asyncio.get_running_loop().create_task(self._keep_token(socket))
            try:
                await self._serve(socket, found[1:])
                while True:
                    await self._serve(socket, await socket.receive())
            finally:
                renewing.cancel()
                self._lasted = self._clock() - since >= STEADY
                if self._lasted:
                    self._backoff.reset()
                self.socket = None
                self._down()

    async def _keep_token(self, socket: Socket) -> None:
        """Renew the token before it ends, and tell the server the fresh one on the socket."""
        while True:
            left = self._tokens.expires_at - EARLY - self._tokens.now()
            await self._sleep(max(1.0, left))
            try:
                access = await self._tokens.access()
            except (ServerUnreachable, ServerRefused, SessionExpired) as error:
                log.debug("the token could not be renewed now: %s", error)
                continue
            socket.say(frames.Token(ref="token", access_token=access))

    def token_answered(self, frame: frames.TokenFrame | ErrorFrame) -> None:
        """The server has said something to a fresh token."""
        if isinstance(frame, ErrorFrame) and frame.ref == "token" and self.socket is not None:
            self.socket.drop()
