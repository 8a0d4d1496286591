"""The network side without a network: patience, renewed tokens, back-off, what a close code leads to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from messenger.client.engine.connection import Connection
from messenger.client.errors import (
    Blocked,
    NotFound,
    RateLimited,
    ServerRefused,
    ServerUnreachable,
    SessionExpired,
)
from messenger.client.net.backoff import Backoff
from messenger.client.net.http import Http
from messenger.client.net.socket import BadFrame, Closed, decode
from messenger.client.net.tokens import SessionTokens, Tokens
from messenger.wire import frames
from messenger.wire.system import Info

INFO = {"version": "1", "protocols": [], "registration": "open", "limits": {}, "features": []}
SESSION = {
    "user": {"user_id": "u", "username": "ann", "created_at": "t"},
    "device_id": "d",
    "access_token": "second",
    "expires_in": 900,
    "refresh_token": "spare 2",
}


class Naps:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.now = 1_000_000.0

    async def sleep(self, seconds: float) -> None:
        self.taken.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def http(answers: Callable[[httpx.Request], httpx.Response], naps: Naps, patience: float = 60.0) -> Http:
    """An Http whose server is a function."""
    return Http(
        "http://server",
        timeout=5,
        patience=patience,
        transport=httpx.MockTransport(answers),
        sleep=naps.sleep,
    )


def test_backoff_doubles_within_bounds_and_obeys_the_server() -> None:
    backoff = Backoff(0.5, 4.0, draw=lambda: 1.0)
    assert [backoff.next() for _ in range(5)] == [0.5, 1.0, 2.0, 4.0, 4.0]
    assert backoff.next(at_least=30.0) == 34.0
    backoff.reset()
    assert backoff.next() == 0.5


def test_a_wait_is_drawn_between_nothing_and_all_of_its_bound() -> None:
    drawn = iter([0.0, 0.25, 0.5])
    backoff = Backoff(1.0, 8.0, draw=lambda: next(drawn))
    assert [backoff.next() for _ in range(3)] == [0.0, 0.5, 2.0]
    waits = [Backoff(1.0, 8.0).next() for _ in range(100)]
    assert all(0.0 <= one <= 1.0 for one in waits)
    assert min(waits) < 0.5 < max(waits)


def test_retry_after_is_waited_out_up_to_the_patience() -> None:
    naps, calls = Naps(), []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request.url.path)
        if len(calls) < 3:
            return httpx.Response(429, headers={"Retry-After": "20"}, json={"code": "rate_limited"})
        return httpx.Response(200, json=INFO)

    found = asyncio.run(http(answer, naps).call("GET", "/info", Info))
    assert (found.version, naps.taken) == ("1", [20.0, 20.0])
    calls.clear()
    with pytest.raises(RateLimited) as refused:
        asyncio.run(http(answer, naps, patience=30).call("GET", "/info", Info))
    assert refused.value.retry_after == 20.0


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, {"code": "not_found"}, NotFound),
        (403, {"code": "blocked", "detail": "A block."}, Blocked),
        (500, "no json", ServerRefused),
        (302, "", ServerRefused),
        (200, {"version": 3}, ServerRefused),
    ],
)
def test_every_no_has_a_name(status: int, body: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        asyncio.run(http(lambda _: httpx.Response(status, json=body), Naps()).call("GET", "/info", Info))


def test_a_server_that_is_away_has_a_name() -> None:
    def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(ServerUnreachable):
        asyncio.run(http(away, Naps()).call("GET", "/info", Info))


def test_a_new_refresh_token_is_remembered_before_it_is_used() -> None:
    order: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/refresh"):
            order.append("refresh")
            return httpx.Response(200, json=SESSION)
        order.append(request.headers["Authorization"])
        good = request.headers["Authorization"] == "Bearer second"
        return httpx.Response(200, json=INFO) if good else httpx.Response(401, json={"code": "token_expired"})

    async def remember(tokens: Tokens | None) -> None:
        assert tokens is not None
        order.append(f"remembered {tokens.refresh_token}")

    naps = Naps()
    client = http(answer, naps)
    first = Tokens(access_token="first", refresh_token="spare 1", expires_at=naps.now + 900)
    tokens = SessionTokens(client, first, remember, lambda: naps.now)
    asyncio.run(client.call("GET", "/info", Info, token=tokens))
    assert order == ["Bearer first", "refresh", "remembered spare 2", "Bearer second"]


def test_a_spent_session_is_over() -> None:
    forgotten: list[Tokens | None] = []

    async def remember(tokens: Tokens | None) -> None:
        forgotten.append(tokens)

    naps = Naps()
    client = http(lambda _: httpx.Response(401, json={"code": "refresh_reused"}), naps)
    stale = Tokens(access_token="first", refresh_token="spare 1", expires_at=0)
    tokens = SessionTokens(client, stale, remember, lambda: naps.now)
    with pytest.raises(SessionExpired) as ended:
        asyncio.run(tokens.access())
    assert ended.value.code == "refresh_reused"
    assert forgotten == [None]


def test_a_removed_device_learns_that_it_was_removed() -> None:
    async def remember(_: Tokens | None) -> None:
        return None

    naps = Naps()
    gone = {"code": "unauthorized", "reason": "removed"}
    client = http(lambda _: httpx.Response(401, json=gone), naps)
    stale = Tokens(access_token="first", refresh_token="spare 1", expires_at=0)
    tokens = SessionTokens(client, stale, remember, lambda: naps.now)
    for _ in range(2):  # whoever asks next is told the same
        with pytest.raises(SessionExpired) as ended:
            asyncio.run(tokens.access())
        assert ended.value.code == "removed"


def test_frames_that_are_not_known_are_passed_over_and_nonsense_is_named() -> None:
    assert decode('[{"type":"synced"},{"type":"tomorrow","x":1}]') == [frames.Synced()]
    for raw in ("nonsense", '{"type":"sent"}', "7", "[3]", '{"type":"message","seq":"x"}', "[" * 100_000):
        with pytest.raises(BadFrame):
            decode(raw)


HELLO = frames.Hello(user_id="u", device_id="d", server_time="t", heartbeat=45)


class Server:
    """Connections that each end as planned: an error on opening, or a close code after the greeting, to which
    each holds for `held` seconds."""

    def __init__(self, *ends: Exception, held: float = 60.0) -> None:
        self.ends = list(ends)
        self.held = held
        self.naps = Naps()
        self.told: list[str] = []
        self.over: list[str] = []

    @asynccontextmanager
    async def open(self, *_: object) -> AsyncIterator["Server"]:
        if not self.ends:
            raise SessionExpired(code="the plan is through")
        if not isinstance(self.ends[0], Closed | TimeoutError):
            raise self.ends.pop(0)
        self.greeted = False
        yield self

    async def receive(self) -> list[frames.Hello]:
        if isinstance(self.ends[0], TimeoutError):
            raise self.ends.pop(0)
        if not self.greeted:
            self.greeted = True
            return [HELLO]
        self.naps.now += self.held
        raise self.ends.pop(0)

    async def run(self) -> "Server":
        """Until the plan is through."""

        async def nothing(*_: object) -> None:
            return None

        async def ended(reason: str) -> None:
            self.over.append(reason)

        async def remember(_: Tokens | None) -> None:
            return None

        client = http(lambda _: httpx.Response(200, json=SESSION), self.naps)
        first = Tokens(access_token="first", refresh_token="spare 1", expires_at=self.naps.now + 1e9)
        connection = Connection(
            "http://server",
            SessionTokens(client, first, remember, lambda: self.naps.now),
            first_retry=1.0,
            last_retry=8.0,
            timeout=5.0,
            prepare=nothing,
            greeted=nothing,
            serve=nothing,
            up=lambda _: self.told.append("up"),
            down=lambda: self.told.append("down"),
            tell=lambda state, *_: self.told.append(state),
            ended=ended,
            identity=lambda: ("u", "d"),
            spread=lambda: 40.0,
            draw=lambda: 0.75,
            clock=lambda: self.naps.now,
            sleep=self.sleep,
            opener=self.open,
        )
        await connection.run()
        return self

    async def sleep(self, seconds: float) -> None:
        if seconds > 1e6:  # the wait for the token's end
            await asyncio.Event().wait()
        await self.naps.sleep(seconds)


def test_a_server_that_takes_a_socket_and_says_nothing_is_tried_again() -> None:
    server = asyncio.run(Server(TimeoutError(), Closed(4409, "")).run())
    assert server.told == ["connecting", "offline", "connecting", "up", "down", "taken_over"]
    assert server.over == ["taken_over"]


@pytest.mark.parametrize("seq", ["-1", "0", "9007199254740992", "9" * 30])
def test_a_number_that_is_no_place_is_no_frame(seq: str) -> None:
    """Neither the store nor a payload could hold it."""
    for rest in (
        '"type":"message","sender_id":null,"sender_device_id":"d","client_id":"c","kind":"text",'
        '"content":null,"envelope":null,"expires_at":null,"deleted":false',
        '"type":"sent","ref":"r"',
    ):
        with pytest.raises(BadFrame):
            decode(f'{{"conversation_id":"c","created_at":"t","seq":{seq},{rest}}}')


def test_a_lost_connection_is_tried_again_ever_more_slowly() -> None:
    away = [ServerUnreachable() for _ in range(5)]
    server = asyncio.run(Server(*away, Closed(1006, ""), ServerUnreachable()).run())
    bounds = (1, 2, 4, 8, 8, 1, 2)  # back to the start once it held
    assert server.naps.taken == [0.75 * bound for bound in bounds]
    assert server.told.count("up") == 1


@pytest.mark.parametrize("code", [frames.GOING_AWAY, frames.TOO_SLOW])
def test_who_is_sent_away_comes_back_after_a_random_part_of_the_spread(code: int) -> None:
    server = asyncio.run(Server(Closed(code, ""), Closed(code, ""), ServerUnreachable()).run())
    assert server.naps.taken == [30.0, 30.0, 0.75]


def test_a_server_that_sends_away_soon_after_each_greeting_is_backed_off_from_too() -> None:
    away = [Closed(frames.GOING_AWAY, "") for _ in range(3)]
    server = asyncio.run(Server(*away, held=1.0).run())
    assert server.naps.taken == [30.75, 31.5, 33.0]


def test_a_server_that_ends_each_socket_soon_is_tried_ever_more_slowly() -> None:
    server = asyncio.run(Server(Closed(1006, ""), Closed(1006, ""), Closed(1006, ""), held=1.0).run())
    assert server.naps.taken == [0.75, 1.5, 3.0]


def test_a_server_that_is_full_is_given_the_time_it_asks_for() -> None:
    server = asyncio.run(Server(RateLimited(503, "unavailable", "full", 30.0)).run())
    assert server.naps.taken[0] >= 30.0


def test_an_ended_token_is_renewed_and_a_takeover_is_final() -> None:
    server = asyncio.run(
        Server(Closed(frames.TOKEN_EXPIRED, ""), Closed(frames.TAKEN_OVER, ""), Closed(1001, "")).run()
    )
    assert server.over == ["taken_over"]
    assert server.told[-1] == "taken_over"
    assert len(server.ends) == 1
