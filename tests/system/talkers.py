"""People who talk through `messenger.client`, as tests see them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from messenger.client import Client, Event, MessageReceived, Passphrase, Settings
from tests.system.people import PASSWORD, unique

E = TypeVar("E", bound=Event)
UNLOCK = Passphrase("a passphrase of the tests", memory_kib=64)
QUICK = Settings(first_retry=0.05, last_retry=0.5)


class Talker:
    """A running client whose events are gathered."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.name = client.username
        self.heard: list[Event] = []
        self._more = asyncio.Event()
        self._task = asyncio.ensure_future(self._listen())

    async def _listen(self) -> None:
        async for event in self.client.events():
            self.heard.append(event)
            self._more.set()

    async def until(
        self, kind: type[E], fits: Callable[[E], bool] = lambda _: True, seconds: float = 20.0
    ) -> E:
        """The first event of a kind that fits, of those that came or will come."""
        async with asyncio.timeout(seconds):
            while True:
                self._more.clear()
                for event in self.heard:
                    if isinstance(event, kind) and fits(event):
                        return event
                if self._task.done():
                    raise AssertionError(f"no more events: {self._task.exception()!r}")
                await self._more.wait()

    def texts(self) -> list[str]:
        """What was received, in the order in which it was told."""
        return [event.message.text for event in self.heard if isinstance(event, MessageReceived)]

    async def until_text(self, text: str, seconds: float = 20.0) -> MessageReceived:
        """The message that says this."""
        return await self.until(MessageReceived, lambda event: event.message.text == text, seconds)

    def kinds(self) -> set[str]:
        """The names of all kinds of events that came."""
        return {type(event).__name__ for event in self.heard}

    async def close(self) -> None:
        """Close the client; its iterator ends."""
        await self.client.close()
        await asyncio.wait_for(self._task, 10)


class Crowd:
    """Makes talkers, each with a profile below one folder."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.all: list[Talker] = []

    async def register(self, name: str, url: str | None = None, settings: Settings = QUICK) -> Talker:
        """A new user, connected."""
        profile = self.folder / unique(name)
        client = await Client.register(
            profile, url or self.url, profile.name, PASSWORD, UNLOCK, settings=settings
        )
        return await self._start(client)

    async def another_device(self, talker: Talker, approved: bool = True) -> Talker:
        """A second device of a user, approved by the first."""
        second = await self.login(talker.name)
        if approved:
            await talker.client.approve_device(await second.client.device_code())
            async with asyncio.timeout(20):
                while not second.client.approved:
                    second._more.clear()
                    await second._more.wait()
        return second

    async def login(self, username: str, password: str = PASSWORD) -> Talker:
        """A new device of a user, that nobody has approved."""
        profile = self.folder / unique("device")
        return await self._start(
            await Client.login(profile, self.url, username, password, UNLOCK, settings=QUICK)
        )

    async def reopen(self, talker: Talker, settings: Settings = QUICK) -> Talker:
        """The same profile, in a new client."""
        await talker.close()
        return await self._start(await Client.open(talker.client.profile, UNLOCK, settings=settings))

    async def _start(self, client: Client) -> Talker:
        client.start()
        talker = Talker(client)
        self.all.append(talker)
        if client.approved:
            await client.synced(20)
        return talker


@asynccontextmanager
async def crowd(folder: Path, url: str) -> AsyncIterator[Crowd]:
    """People, all closed at the end."""
    made = Crowd(folder, url)
    try:
        yield made
    finally:
        await asyncio.gather(*(one.close() for one in made.all), return_exceptions=True)
