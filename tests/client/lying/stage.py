"""Where the story is told: its people, what comes of it, and how it is known that nothing is going on."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from messenger.client import Client, Event, Message, Passphrase, Settings
from messenger.client.engine.vault import Vault
from tests.client.lying.front import Front

UNLOCK_TEXT = "a passphrase that stays on the device"
UNLOCK = Passphrase(UNLOCK_TEXT, memory_kib=64)
QUICK = Settings(first_retry=0.01, last_retry=5.0, patience=0.0)
PASSWORDS = {name: f"{name} walks over nine quiet hills" for name in ("alice", "bob", "carol")}
OWNERS = {"a1": "alice", "a2": "alice", "b1": "bob", "b2": "bob", "c1": "carol"}
STEPS = (
    *("meet", "approve", "direct", "group", "talk", "file", "remove_member", "remove_device", "restart"),
    "more",
)
AB, AC, GROUP = "alice and bob", "alice and carol", "the group"
FILE_NAME = "plan-of-the-garden.txt"
LONGEST_QUIET = 30.0  # seconds
TURNS = 25  # of the event loop


@dataclass
class Told:
    """Something that was said: who may read it, who should, and whether its sender saw it sent."""

    where: str
    device: str
    text: str
    readers: frozenset[str]
    expected: frozenset[str]
    sent: bool = False


@dataclass
class Shown:
    """A message on a device's screen."""

    device: str
    where: str
    message: Message


@dataclass
class Outcome:
    """What there is to judge a story by."""

    told: list[Told] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    events: dict[str, list[Event]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)  # STEP ERROR:code
    steps: set[str] = field(default_factory=set)  # those that no client refused
    secrets: list[bytes] = field(default_factory=list)


@dataclass
class Snapshot:
    """Where a story goes on: before `step`, with these profiles, and the server's state."""

    folder: Path
    step: str
    state: bytes
    links: dict[str, str]
    devices: frozenset[str]
    group_id: str | None = None
    outcome: Outcome = field(default_factory=Outcome)


class Stage:
    """Where clients run: knows when nothing is going on any more."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self._working = 0
        self._moved = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def watch(self, vault: Vault) -> None:
        """Count what a client does in its store."""
        honest = vault.run

        async def run(work: Callable[..., Any]) -> Any:
            self._working += 1
            self._idle.clear()
            try:
                return await honest(work)
            finally:
                self._working -= 1
                self._moved += 1
                if not self._working:
                    self._idle.set()

        vault.run = run  # type: ignore[method-assign]

    async def quiet(self) -> None:
        """Return once no client and no answer is on its way. All run in this one loop: what is written to a
        socket is there at its next turn, so a few turns in which nothing has moved are enough."""
        async with asyncio.timeout(LONGEST_QUIET):
            calm = 0
            while calm < TURNS:
                before = (self.front.activity, self._moved)
                await asyncio.sleep(0)
                busy = self.front.busy or self._working or before != (self.front.activity, self._moved)
                calm = 0 if busy else calm + 1
                await self._idle.wait()

    async def running(self, client: Client) -> Client:
        """Have a client connect."""
        self.watch(client.engine.vault)
        client.start()
        await self.quiet()
        return client
