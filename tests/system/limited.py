"""Clients from addresses of their own, for tests that count exactly what they are allowed."""

import re
import secrets
from collections import Counter
from collections.abc import Callable
from functools import wraps
from itertools import cycle
from typing import Any

import httpx

from tests.system.people import PASSWORD, unique
from tests.system.stack import Stack
from tests.system.waiting import until


def somewhere() -> str:
    """An address that no other test has."""
    return f"203.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"


class Client:
    """Calls through all gateways in turn, from an address."""

    def __init__(self, stack: Stack, address: str | None = None, token: str = "") -> None:
        self.address = address or somewhere()
        headers = {"X-Forwarded-For": self.address}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        # A connection for each call, so that every gateway and every instance has its share.
        self.clients = [
            httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=10) for url in stack.urls
        ]
        self._turns = cycle(self.clients)

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        return next(self._turns).request(method, path, **more)

    def register(self, name: str | None = None) -> httpx.Response:
        return self.call("POST", "/auth/register", json={"username": name or unique(), "password": PASSWORD})

    def login(self, name: str, password: str = PASSWORD) -> httpx.Response:
        return self.call("POST", "/auth/login", json={"username": name, "password": password})

    def guesses(self, name: str, count: int) -> Counter[int]:
        """The statuses of so many wrong guesses."""
        return Counter(self.login(name, "a wrong password").status_code for _ in range(count))


def user(stack: Stack, address: str | None = None) -> tuple[Client, dict[str, Any]]:
    """A new user from a new address, and its session."""
    client = Client(stack, address)
    session = client.register().json()
    return Client(stack, client.address, session["access_token"]), session


def allowed(call: Callable[[], httpx.Response], count: int) -> int:
    """How many of so many calls are allowed; all after the first refusal must be refused too."""
    answers = [call() for _ in range(count)]
    statuses = [answer.status_code != 429 for answer in answers]
    assert statuses == sorted(statuses, reverse=True)
    refused = [answer for answer in answers if answer.status_code == 429]
    for answer in refused:
        assert answer.json()["code"] == "rate_limited"
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["ratelimit-reset"] == answer.headers["retry-after"]
        assert answer.headers["ratelimit-remaining"] == "0"
    for answer in answers[: count - len(refused)]:
        assert "ratelimit-remaining" in answer.headers, answer.text  # such as an engine that is away
    remaining = [int(answer.headers["ratelimit-remaining"]) for answer in answers[: count - len(refused)]]
    assert remaining == sorted(set(remaining), reverse=True)
    return count - len(refused)


def undisturbed(test: Callable[[Stack], None]) -> Callable[[Stack], None]:
    """A test that counts exactly, again if an instance meanwhile found Valkey too slow: a busy machine's."""

    @wraps(test)
    def repeated(stack: Stack) -> None:
        for left in (2, 1, 0):
            until(lambda: shared(stack))
            before = metric(stack, "messenger_limits_fallbacks_total")
            try:
                test(stack)
                return
            except AssertionError:
                if not left or metric(stack, "messenger_limits_fallbacks_total") == before:
                    raise

    return repeated


def metric(stack: Stack, name: str) -> list[float]:
    """Its value on each service."""
    names = [name for name in stack.ports if name.rpartition("-")[0] in ("auth", "key", "message", "file")]
    texts = [
        httpx.get(f"http://127.0.0.1:{stack.ports[one]}/metrics", timeout=5).text for one in names or ["auth"]
    ]
    found = [re.search(rf"^{name} (\S+)$", text, re.MULTILINE) for text in texts]
    return [float(match[1]) if match else -1.0 for match in found]


def shared(stack: Stack) -> bool:
    """Whether Valkey judges for all services."""
    return set(metric(stack, "messenger_limits_shared")) == {1.0}
