"""What makes a story cheap enough to be told some hundred times, and changes nothing that a lie is about.

Stores are SQLite's plain files without waiting for a disk, their work is done in the event loop's own thread,
a password is derived once, and HTTP goes to the server without a socket. WebSockets are always real.
"""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import cache
from typing import Any, TypeVar

import httpx
import pytest

from messenger.client import passwords
from messenger.client.engine import vault
from messenger.client.engine.vault import Store, Vault
from messenger.client.store.database import Database
from tests.client.lying.front import Ask, Front

T = TypeVar("T")


class InLoop(Executor):
    """An executor that does its work at once, where it is asked."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> "Future[Any]":
        """Do it."""
        done: Future[Any] = Future()
        try:
            done.set_result(work(*arguments, **named))
        except BaseException as error:  # as executors do: it is the caller's
            done.set_exception(error)
        return done


class Direct(httpx.AsyncBaseTransport):
    """HTTP without a socket."""

    def __init__(self, front: Front) -> None:
        self._front = front

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        self._front.busy += 1
        try:
            body = b"".join([part async for part in request.stream])
        finally:
            self._front.busy -= 1
        self._front.activity += 1
        app = self._front.app
        assert app is not None
        raw = request.method.encode() + b" " + request.url.raw_path
        app.overhear(b"\r\n".join([raw, *(b": ".join(pair) for pair in request.headers.raw), b"", body]))
        path = request.url.path.removeprefix("/api/v1")
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = app.request(Ask(request.method, path, dict(request.url.params), headers, body))
        named = {"Content-Type": answer.media_type, **answer.headers}
        return httpx.Response(answer.status, headers=named, stream=httpx.ByteStream(answer.body))


async def _run(self: Vault, work: Callable[[Store], T]) -> T:
    """As Vault.run, without a thread to wait for."""
    if self.closed:
        raise RuntimeError("The client is closed.")
    result, news, settled = self._transact(work)
    for one in settled:
        self.on_settled(one)
    if news:
        self.on_news()
    return result


def _prepare(self: Database, _key: bytes) -> None:
    for pragma in ("journal_mode = memory", "synchronous = off", "temp_store = memory"):
        self.run(f"pragma {pragma}")


def take(patch: pytest.MonkeyPatch, front: Front) -> None:
    """Take them all, for clients that are made from now on."""
    patch.setattr(passwords, "derive", cache(passwords.derive))
    patch.setattr(vault, "ThreadPoolExecutor", InLoop)
    patch.setattr(Vault, "run", _run)
    patch.setattr(Database, "_prepare", _prepare)
    patch.setattr("httpx._client.AsyncHTTPTransport", lambda **_: Direct(front))
