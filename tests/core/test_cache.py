"""Redis that answers, hangs, fails and forgets its scripts."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from messenger.core import cache
from messenger.core.cache import ANSWER_SECONDS, PROBE_SECONDS, Cache
from messenger.core.lifecycle import StartError
from messenger.core.limits.stores import CacheAway
from messenger.core.settings import Redis as RedisSettings

SECRET = "a-secret-word"


class Pool:
    async def disconnect(self) -> None: ...


class Redis:
    """redis-py as far as the cache uses it; `answer` is what every command does."""

    connection_pool = Pool()

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.scripts: set[str] = set()
        self.answer: Callable[[], Awaitable[Any]] = self.good

    async def good(self) -> list[int]:
        return [1]

    async def bad(self) -> list[int]:
        raise RedisConnectionError("refused")

    async def bad_once(self) -> list[int]:
        self.answer = self.good
        return await self.bad()

    def hang(self) -> Deferred[Any]:
        return Deferred()

    async def ping(self) -> Any:
        self.calls.append("ping")
        return await self.answer()

    async def evalsha(self, digest: str, *_: object) -> Any:
        self.calls.append("evalsha")
        found = await self.answer()
        if not self.scripts:
            raise NoScriptError
        return found

    async def eval(self, script: str, *_: object) -> Any:
        self.calls.append("eval")
        self.scripts.add(script)
        return await self.answer()


class House:
    def __init__(self) -> None:
        self.clock = Clock()
        self.redis = Redis()
        self.cache = Cache(self.clock, RedisSettings(url=f"redis://:{SECRET}@localhost", password=SECRET))
        self.cache._redis = self.redis

    def start(self) -> "House":
        ensureDeferred(self.cache.start())
        self.redis.calls.clear()
        return self

    def run(self) -> list[Any]:
        """The results of one script, an exception among them; empty while it waits."""
        results: list[Any] = []
        ensureDeferred(self.cache.run("return {1}", ["k"], [1])).addBoth(
            lambda found: results.append(getattr(found, "type", found))
        )
        return results


@pytest.fixture(autouse=True)
def _no_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    async def driven(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return await coroutine

    monkeypatch.setattr(cache, "from_asyncio", driven)


def test_a_script_is_sent_once_and_then_named() -> None:
    house = House().start()
    assert house.run() == [[1]]
    assert house.run() == [[1]]
    assert house.redis.calls == ["evalsha", "eval", "evalsha"]


def test_a_hanging_redis_costs_a_fifth_of_a_second_once() -> None:
    house = House().start()
    house.redis.answer = house.redis.hang
    waits = house.run()
    house.clock.pump([0.01] * 19)
    assert waits == []
    house.clock.pump([0.01] * 2)
    assert waits == [CacheAway]
    assert not house.cache.up
    assert [house.run() for _ in range(9)] == [[CacheAway]] * 9
    assert house.redis.calls == ["evalsha"]


def test_a_process_that_stood_still_hears_the_answer_that_is_there() -> None:
    house = House().start()
    answer: Deferred[Any] = Deferred()
    house.redis.answer = lambda: answer
    house.redis.scripts.add("known")
    waits = house.run()
    house.clock.advance(3)
    answer.callback([1])
    assert waits == [[1]]
    assert house.cache.up


def test_a_failed_redis_is_pinged_until_it_answers() -> None:
    house = House().start()
    house.redis.answer = house.redis.bad
    assert house.run() == [CacheAway]
    house.redis.calls.clear()
    for _ in range(3):
        house.clock.advance(PROBE_SECONDS)
    assert house.redis.calls == ["ping"] * 3
    house.redis.answer = house.redis.hang
    for _ in range(3):
        house.clock.advance(PROBE_SECONDS)
        house.clock.pump([ANSWER_SECONDS / 4] * 5)
    assert not house.cache.up
    house.redis.answer = house.redis.good
    house.clock.advance(PROBE_SECONDS)
    assert house.cache.up
    assert house.run() == [[1]]


def test_a_dead_connection_is_no_dead_redis() -> None:
    house = House().start()
    house.run()
    house.redis.calls.clear()
    house.redis.answer = house.redis.bad_once
    assert house.run() == [[1]]
    assert house.redis.calls == ["evalsha", "evalsha"]


def test_a_start_without_redis_is_a_start() -> None:
    house = House()
    house.redis.answer = house.redis.bad
    house.start()
    assert house.run() == [CacheAway]
    house.redis.answer = house.redis.good
    house.clock.advance(PROBE_SECONDS)
    assert house.run() == [[1]]


def test_nothing_is_left_behind_at_the_stop() -> None:
    house = House().start()
    house.redis.answer = house.redis.bad
    house.run()
    ensureDeferred(house.cache.stop())
    assert house.clock.getDelayedCalls() == []
    assert house.run() == [CacheAway]


def test_no_password_in_the_log() -> None:
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    try:
        house = House().start()
        house.redis.answer = house.redis.bad
        house.run()
        house.redis.answer = house.redis.good
        house.clock.advance(PROBE_SECONDS)
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert [event["event"] for event in events] == ["cache_found", "cache_lost", "cache_found"]
    assert SECRET not in repr(events)


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", f"redis://:{SECRET}@localhost:port"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(StartError, match=r"\[redis\] url") as caught:
        Cache(Clock(), RedisSettings(url=url))
    assert SECRET not in str(caught.value)
