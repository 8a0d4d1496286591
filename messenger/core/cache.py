"""Redis or Valkey: the only module that knows redis-py. What is in it may be lost at any moment.

Whoever asks is answered within `ANSWER_SECONDS`, or gets CacheAway. Nothing is tried twice, but on a fresh
connection what went out on a dead one (a Redis that was restarted is not one that is away). After a failure
nobody asks any more (`up` is false, and `run` raises at once) until a ping, sent every `PROBE_SECONDS`, is
answered. So a Redis that hangs costs the calls that were under way a fifth of a second, and later ones
nothing. One connection carries a process's scripts, a second one is there for pings.
"""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Any, TypeVar
from urllib.parse import urlsplit

from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.logger import Logger

from messenger.core.lean import without
from messenger.core.lifecycle import EX_CONFIG, StartError
from messenger.core.limits.stores import CacheAway
from messenger.core.settings import Redis as RedisSettings
from messenger.core.waits import from_asyncio

with without("opentelemetry"):  # for redis-py's own metrics; 3 MB where it happens to be installed
    from redis.asyncio import ConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError as RedisConnectionError
    from redis.exceptions import NoScriptError, RedisError

ANSWER_SECONDS = 0.2
PROBE_SECONDS = 1.0
CONNECTIONS = 4

T = TypeVar("T")

log = Logger(namespace="messenger.cache")


@dataclass(frozen=True, slots=True)
class Server:
    """A Redis server, as it describes itself; `max_memory` in bytes, 0 for none."""

    version: str
    max_memory: int
    policy: str
    persistent: bool


class Cache:
    """A connection to Redis; StartError where the url's form is wrong."""

    def __init__(self, reactor: Any, settings: RedisSettings) -> None:
        self._reactor = reactor
        self.up = False
        self._probe: Any = None
        self._stopped = False
        self._digests: dict[str, str] = {}
        # Never the url itself: it may hold a password.
        try:
            parts = urlsplit(settings.url)
            self._where = f"{parts.hostname}:{parts.port or 6379}"
            more = {"password": settings.password} if settings.password else {}
            pool = ConnectionPool.from_url(
                settings.url,
                max_connections=CONNECTIONS,
                socket_timeout=5 * ANSWER_SECONDS,  # `_ask` is the judge
                socket_connect_timeout=5 * ANSWER_SECONDS,
                retry=Retry(NoBackoff(), 0),
                lib_name=None,
                lib_version=None,
                **more,
            )
        except ValueError:
            raise StartError(
                "[redis] url is not of the form redis://HOST:PORT or rediss://HOST:PORT", EX_CONFIG
            ) from None
        self._redis: Any = Redis(connection_pool=pool)

    async def start(self) -> None:
        """Ask once; if there is no answer, go on without until there is one."""
        await self._ping()

    async def stop(self) -> None:
        """Close all connections."""
        self._stopped, self.up = True, False
        if self._probe is not None and self._probe.active():
            self._probe.cancel()
        await from_asyncio(self._redis.connection_pool.disconnect())

    async def run(self, script: str, keys: Sequence[str], arguments: Sequence[int]) -> list[Any]:
        """Run the Lua `script` in one round trip; CacheAway."""
        if not self.up:
            raise CacheAway
        digest = self._digests.get(script)
        if digest is None:
            digest = self._digests[script] = sha1(script.encode(), usedforsecurity=False).hexdigest()
        try:
            return await self._ask(self._evaluate(script, digest, keys, arguments))
        except _FAILURES as error:
            self._lose(error)
            raise CacheAway from None

    async def describe(self) -> Server:
        """The server, as it describes itself; CacheAway."""
        if not self.up:
            raise CacheAway
        try:
            found = await self._ask(self._redis.info("all"))
        except _FAILURES:
            raise CacheAway from None
        return Server(
            str(found.get("valkey_version") or found.get("redis_version")),
            int(found.get("maxmemory", 0)),
            str(found.get("maxmemory_policy", "")),
            bool(found.get("aof_enabled")),
        )

    async def _evaluate(
        self, script: str, digest: str, keys: Sequence[str], arguments: Sequence[int]
    ) -> list[Any]:
        rest = (len(keys), *keys, *arguments)
        try:
            try:
                return list(await self._redis.evalsha(digest, *rest))
            except RedisConnectionError:  # a kept connection that was dead: at most this is counted twice
                return list(await self._redis.evalsha(digest, *rest))
        except NoScriptError:  # a Redis that has restarted, or another one; EVAL lets it know the script
            return list(await self._redis.eval(script, *rest))

    async def _ask(self, coroutine: Coroutine[Any, Any, T]) -> T:
        asking = ensureDeferred(from_asyncio(coroutine))
        timers: list[Any] = []

        def look_again() -> None:
            timers.append(self._reactor.callLater(ANSWER_SECONDS / 4, asking.cancel))

        # In two steps: a process that has itself stood still reads the answer that is there in between.
        timers.append(self._reactor.callLater(ANSWER_SECONDS * 3 / 4, look_again))
        try:
            return await asking
        finally:
            if timers[-1].active():
                timers[-1].cancel()

    def _lose(self, error: Exception) -> None:
        if self.up:
            log.warn(
                "Redis at {where} does not answer: {reason}; each process counts for itself",
                event="cache_lost",
                where=self._where,
                reason=type(error).__name__,
            )
        self.up = False
        self._probe_later()

    def _probe_later(self) -> None:
        if not self._stopped and (self._probe is None or not self._probe.active()):
            self._probe = self._reactor.callLater(PROBE_SECONDS, self._probe_now)

    def _probe_now(self) -> None:
        ensureDeferred(self._ping())

    async def _ping(self) -> None:
        try:
            await self._ask(self._redis.ping())
        except _FAILURES as error:
            if self._probe is None:
                log.warn(
                    "Redis at {where} does not answer: {reason}; see [redis]; it is left out until it does",
                    event="cache_lost",
                    where=self._where,
                    reason=type(error).__name__,
                )
            self._probe_later()
            return
        if not self._stopped:
            self.up = True
            log.info("Redis at {where} answers", event="cache_found", where=self._where)


_FAILURES = (RedisError, OSError, TimeoutError, CancelledError)
