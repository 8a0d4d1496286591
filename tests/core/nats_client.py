"""nats-py's client, as far as the bus uses it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlparse

from nats.aio.client import Server


class FakeClient:
    """Connected; what is published and asked is kept."""

    def __init__(self, *servers: str) -> None:
        self.is_connected = True
        self.is_closed = False
        self.options: dict[str, Any] = {}
        self.failures = dict.fromkeys(servers, 0)
        self.sent: list[tuple[str, str, str]] = []
        self.hear: Callable[[Any], Awaitable[None]] | None = None
        self.flushes: list[asyncio.Future[None]] = []
        self._reading_task: asyncio.Future[None] | None = None

    @property
    def server_pool(self) -> list[Server]:
        return [Server(uri=urlparse(url), reconnects=count) for url, count in self.failures.items()]

    def new_inbox(self) -> str:
        return "_INBOX.x"

    async def subscribe(self, _subject: str, cb: Callable[[Any], Awaitable[None]]) -> None:
        self.hear = cb

    async def publish(self, subject: str, _payload: bytes, reply: str, headers: dict[str, str]) -> None:
        self.sent.append((subject, reply, headers["Nats-Msg-Id"]))

    async def flush(self, timeout: float) -> None:
        asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.flushes.append(asked)
        await asked
