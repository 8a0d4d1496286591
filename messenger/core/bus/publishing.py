"""Publishing to a stream, until it has acknowledged.

A publish reaches those who subscribe at once, also while the stream has no leader; its acknowledgement comes
once the stream has stored it. What is not acknowledged is published again on each new connection (`again`):
the server that was told of it may be the one that is gone. The same `Nats-Msg-Id` keeps the stream from
storing it twice, and hearers may hear a thing twice.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from twisted.logger import Logger

from messenger.core.lean import without

with without("aiohttp"):  # for NATS over WebSocket; 8 MB where it happens to be installed
    import nats.errors
    from nats.aio.client import Client
    from nats.aio.msg import Msg

log = Logger()

ID = "Nats-Msg-Id"
_NOBODY = "503"  # the status of an answer that says that nobody listens


class Unstored(Exception):
    """The stream did not store an event. `code` is JetStream's, as HTTP's; 0 where there was no answer."""

    def __init__(self, text: str, code: int = 0) -> None:
        self.unexplained = code in (0, 503)
        """Whether it may be for lack of room."""
        super().__init__(text)


class _Error(msgspec.Struct):
    code: int = 500
    description: str = "refused"


class _Answer(msgspec.Struct):
    error: _Error | None = None


_decoder = msgspec.json.Decoder(_Answer)


@dataclass(frozen=True, slots=True)
class _Event:
    subject: str
    payload: bytes
    id: str
    reply: str
    stored: asyncio.Future[None]


class Publisher:
    """Publishes by `client`, and waits `seconds` for each acknowledgement. `headers` gives those of a subject
    besides the id, anew each time that something is published on it."""

    def __init__(self, client: Client, seconds: float, headers: Callable[[str], dict[str, str]]) -> None:
        self._client = client
        self._headers = headers
        self._seconds = seconds
        self._inbox = client.new_inbox()
        self._number = 0
        self._waiting: dict[str, _Event] = {}

    async def start(self) -> None:
        """Listen for acknowledgements; the subscription lasts over new connections."""
        await self._client.subscribe(f"{self._inbox}.*", cb=self._hear)

    async def publish(self, subject: str, payload: bytes, event_id: str) -> None:
        """Return once the stream has stored the event; Unstored where it did not in time, or refused."""
        self._number += 1
        reply = f"{self._inbox}.{self._number}"
        event = _Event(subject, payload, event_id, reply, asyncio.get_running_loop().create_future())
        self._waiting[reply] = event
        try:
            async with asyncio.timeout(self._seconds):
                if self._client.is_connected:  # else `again` publishes it
                    await self._send(event)
                await event.stored
        except TimeoutError:
            raise Unstored("no acknowledgement came") from None
        except nats.errors.Error as error:
            raise Unstored(str(error) or type(error).__name__, 500) from None
        finally:
            del self._waiting[reply]

    async def again(self) -> None:
        """Publish what is not acknowledged once more."""
        for event in list(self._waiting.values()):
            if not event.stored.done():
                await self._send(event)

    async def _send(self, event: _Event) -> None:
        headers = {ID: event.id, **self._headers(event.subject)}
        try:
            await self._client.publish(event.subject, event.payload, reply=event.reply, headers=headers)
        except (OSError, RuntimeError) as error:
            log.debug("the connection has just gone: {error}", error=str(error))  # there is another soon

    async def _hear(self, message: Msg) -> None:
        event = self._waiting.get(message.subject)
        if event is None or event.stored.done():
            return
        if not message.data and (message.headers or {}).get("Status") == _NOBODY:
            event.stored.set_exception(Unstored("no stream takes it", int(_NOBODY)))
            return
        try:
            error = _decoder.decode(message.data).error
        except msgspec.DecodeError:
            error = _Error(description="no acknowledgement, but something else")
        if error is None:
            event.stored.set_result(None)
        else:
            event.stored.set_exception(Unstored(error.description, error.code))
