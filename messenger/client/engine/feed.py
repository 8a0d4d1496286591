"""Events on their way to the application: durable ones from the journal, others from a bounded queue."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from messenger.client.engine.vault import Store, Vault
from messenger.client.events import Event

PAGE = 100


class Feed:
    """What one application iterates over, one iterator at a time."""

    def __init__(self, vault: Vault, bound: int) -> None:
        self._vault = vault
        self._ephemeral: deque[Event] = deque(maxlen=bound)
        self._something = asyncio.Event()
        self._closed = False
        self._position = 0  # of what was handled last
        self._taken = False
        vault.on_news = self._something.set

    def tell(self, event: Event) -> None:
        """An ephemeral event; when the queue is full the oldest one goes."""
        self._ephemeral.append(event)
        self._something.set()

    def close(self) -> None:
        """No more events: the iterator ends."""
        self._closed = True
        self._something.set()

    async def events(self, after: int | None) -> AsyncIterator[Event]:
        """All events behind a position, or behind what was handled, and then as they come.

        An event was handled when the next one is asked for.
        """
        if self._taken:
            raise RuntimeError("Somebody iterates over this client's events already.")
        self._taken = True
        position = await self._vault.run(lambda store: store.journal.handled) if after is None else after
        try:
            while not self._closed:
                self._something.clear()
                page = await self._vault.run(lambda store, p=position: store.journal.after(p, PAGE))  # type: ignore[misc]
                for event in page:
                    yield event
                    self._position = position = event.position
                if page:
                    await self.handled(position)
                while self._ephemeral:
                    yield self._ephemeral.popleft()
                if not page and not self._closed:
                    await self._something.wait()
        finally:
            self._taken = False

    async def finish(self) -> None:
        """No more events; how far the application has come is written down."""
        self.close()
        await self.handled(self._position)

    async def handled(self, position: int) -> None:
        """The application has taken everything up to this position."""

        def put(store: Store) -> None:
            if position > store.journal.handled:
                store.journal.set_handled(position)

        await self._vault.run(put)
