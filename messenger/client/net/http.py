"""One HTTP request, and what can become of it: a value of the expected type, or a named ClientError.

429 and 503 are waited out as the server says (Retry-After, in seconds) up to the caller's patience; a request
is sent again only then, when the server has said that it did nothing. An answer is read up to a bound, and
what is not of the expected form is `bad_answer`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import httpx
import msgspec
from msgspec import Struct

from messenger.client.errors import (
    Blocked,
    ClientError,
    DeviceLimit,
    FileTooLarge,
    NotAllowed,
    NotFound,
    RateLimited,
    ServerRefused,
    ServerUnreachable,
    UsernameTaken,
)
from messenger.wire.codec import decode_custom, encode

MAX_ANSWER = 8 * 1024 * 1024
_RETRIED = frozenset((429, 503))

T = TypeVar("T")

_BY_CODE: dict[str, type[ServerRefused]] = {
    "blocked": Blocked,
    "username_taken": UsernameTaken,
    "device_limit": DeviceLimit,
}
_BY_STATUS: dict[int, type[ServerRefused]] = {403: NotAllowed, 404: NotFound}


class Token(Protocol):
    """Where access tokens come from."""

    async def access(self) -> str:
        """A token that still holds."""

    async def renew(self, stale: str) -> str:
        """Another token than this one."""


class _Problem(Struct):
    code: str = ""
    detail: str = ""
    title: str = ""


class Http:
    """Requests to one server. `transport` and `sleep` are for tests."""

    def __init__(
        self,
        server: str,
        *,
        timeout: float,
        patience: float,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._patience = patience
        self._sleep = sleep
        self._client = httpx.AsyncClient(
            base_url=f"{server}/api/v1",
            timeout=timeout,
            transport=transport,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=4),
        )

    async def call(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        token: Token | None = None,
        body: object | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> T:
        """The answer's value; with `kind` NoneType none is expected. ServerRefused, ServerUnreachable."""
        content = None if body is None else encode(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        raw = await self._patiently(method, path, token=token, headers=headers, content=content, params=query)
        if kind is type(None):
            return None
        return decoded(raw, kind)

    async def _patiently(self, method: str, path: str, *, token: Token | None, **arguments: Any) -> bytes:
        waited = 0.0
        renewed = False
        while True:
            access = None if token is None else await token.access()
            try:
                async with self.stream(method, path, access=access, **arguments) as answer:
                    return await _read(answer)
            except RateLimited as error:
                if waited + error.retry_after > self._patience:
                    raise
                waited += error.retry_after
                await self._sleep(error.retry_after)
            except ServerRefused as error:
                if error.status != 401 or token is None or access is None or renewed:
                    raise
                renewed = True
                await token.renew(access)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        access: str | None = None,
        headers: Mapping[str, str] = {},
        **arguments: Any,
    ) -> AsyncIterator[httpx.Response]:
        """An answer that was no error, its body unread."""
        authorization = {} if access is None else {"Authorization": f"Bearer {access}"}
        try:
            async with self._client.stream(
                method, path, headers={**headers, **authorization}, **arguments
            ) as answer:
                if answer.status_code >= 400:
                    raise refusal(answer, await _read(answer))
                if answer.status_code >= 300:
                    raise ServerRefused(answer.status_code, "bad_answer", "The server sends us elsewhere.")
                yield answer
        except httpx.HTTPError as error:
            raise ServerUnreachable(
                f"The server can't be reached: {error or type(error).__name__}."
            ) from error

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


async def _read(answer: httpx.Response) -> bytes:
    raw = bytearray()
    async for part in answer.aiter_bytes():
        raw += part
        if len(raw) > MAX_ANSWER:
            raise ServerRefused(answer.status_code, "bad_answer", "The server's answer is too long.")
    return bytes(raw)


def refusal(answer: httpx.Response, raw: bytes) -> ClientError:
    """The error that an answer is, by its problem document (RFC 9457) where it has one."""
    status = answer.status_code
    try:
        problem = msgspec.json.decode(raw, type=_Problem)
        members = msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        problem, members = _Problem(), {}
    code = problem.code or f"http_{status}"
    detail = problem.detail or problem.title or f"The server answered {status}."
    if status in _RETRIED:
        return RateLimited(status, code, detail, _retry_after(answer.headers.get("Retry-After")))
    if status == 413 and "/files" in answer.request.url.path:
        return FileTooLarge(detail)
    made = _BY_CODE.get(code) or _BY_STATUS.get(status) or ServerRefused
    return made(status, code, detail, members)


def _retry_after(text: str | None) -> float:
    return min(3_600.0, float(text)) if text is not None and text.isascii() and text.isdigit() else 1.0


def decoded(raw: bytes, kind: type[T]) -> T:
    """A value out of an answer; ServerRefused `bad_answer` for what does not fit."""
    try:
        return msgspec.json.decode(raw, type=kind, dec_hook=decode_custom)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ServerRefused(200, "bad_answer", f"The server's answer does not fit: {error}.") from None
