"""The session's tokens. A refresh token is spent by its use, so the new one is written down before anything
is done with it; the server answers a repeat of the spent one for 30 s, for whoever died in between."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from msgspec import Struct

from messenger.client.errors import ServerRefused, SessionExpired
from messenger.client.net.http import Http
from messenger.wire import auth as wire

EARLY = 60.0  # seconds before its end that a token is renewed


class Tokens(Struct, frozen=True, kw_only=True):
    """A session's tokens; `expires_at` in seconds since 1970, by this device's clock."""

    access_token: str
    refresh_token: str
    expires_at: float


def tokens_of(session: wire.Session, now: float) -> Tokens:
    """A session's tokens."""
    return Tokens(
        access_token=session.access_token,
        refresh_token=session.refresh_token,
        expires_at=now + max(0, min(session.expires_in, 86_400)),
    )


class SessionTokens:
    """The tokens of one device's session. `remember` writes them down durably."""

    def __init__(
        self,
        http: Http,
        tokens: Tokens | None,
        remember: Callable[[Tokens | None], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._tokens = tokens
        self._remember = remember
        self._clock = clock
        self._renewing = asyncio.Lock()
        self._why = SessionExpired.code  # there is no session

    @property
    def expires_at(self) -> float:
        """When the access token ends; 0 without one."""
        return 0.0 if self._tokens is None else self._tokens.expires_at

    def now(self) -> float:
        """This device's clock."""
        return self._clock()

    @property
    def alive(self) -> bool:
        """Whether there is a session as far as is known."""
        return self._tokens is not None

    async def access(self) -> str:
        """A token that holds for a while. SessionExpired, ServerUnreachable."""
        tokens = self._tokens
        if tokens is None:
            raise SessionExpired(code=self._why)
        if tokens.expires_at - self._clock() > EARLY:
            return tokens.access_token
        return await self.renew(tokens.access_token)

    async def renew(self, stale: str) -> str:
        """Another token than `stale`; who asks meanwhile waits for the same one."""
        async with self._renewing:
            tokens = self._tokens
            if tokens is None:
                raise SessionExpired(code=self._why)
            if tokens.access_token != stale:
                return tokens.access_token
            try:
                session = await self._http.call(
                    "POST",
                    "/auth/refresh",
                    wire.Session,
                    body=wire.Refresh(refresh_token=tokens.refresh_token),
                )
            except ServerRefused as error:
                if error.status != 401:
                    raise
                await self.replace(None)
                # For all who ask after this one, too.
                self._why = "removed" if error.members.get("reason") == "removed" else error.code
                raise SessionExpired(code=self._why) from None
            fresh = tokens_of(session, self._clock())
            await self.replace(fresh)
            return fresh.access_token

    async def replace(self, tokens: Tokens | None) -> None:
        """Go on with the tokens of another login, or with none."""
        await self._remember(tokens)
        self._tokens = tokens
