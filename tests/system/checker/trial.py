"""One run: people and conversations are made, clients work while faults come, all heals, and is judged.

The seed decides faults, rooms and who does what; when what happens is the machine's affair, so a seed gives
the same plan again, not the same run.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import httpx

from tests.system.checker.faults import Fault, Nemesis
from tests.system.checker.history import History
from tests.system.checker.verdict import Judge, Violation
from tests.system.checker.workload import Client, Room
from tests.system.people import Person
from tests.system.stack import Stack

BASELINE_SECONDS = 5.0  # of work before the first fault
ANSWER_SECONDS = 30.0
SETTLE_SECONDS = 20.0
FRESH_SECONDS = 60.0
OUTBOX_SECONDS = 10.0
# The longest run is shorter than this: what a token's end does is not judged here.
SETTINGS = {"MESSENGER_AUTH__ACCESS_TOKEN": "86400"}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Size:
    """How large a run is; `rate` is in messages a second at most, `every` in seconds between faults."""

    messages: int = 500
    users: int = 5
    devices: int = 2
    groups: int = 4
    rate: float = 40.0
    every: float = 5.0


class Trial:
    """A run on a stack that is started. `plan` is what to break; without one the seed chooses `faults` out of
    those that `nemesis` knows."""

    def __init__(
        self,
        stack: Stack,
        seed: int,
        size: Size,
        faults: int = 0,
        plan: list[list[Fault]] | None = None,
        nemesis: type[Nemesis] = Nemesis,
    ) -> None:
        self.history = History()
        self.judge: Judge | None = None
        self._stack = stack
        self._random = random.Random(seed)
        self._size = size
        self._people: list[list[Person]] = []
        self._clients: list[Client] = []
        self._rooms: list[Room] = []
        self._wanderers: dict[str, list[list[Client]]] = {}
        self._nemesis = nemesis(stack, self.history, random.Random(seed), self._cut, self._is_synced)
        self._plan = self._nemesis.plan(faults) if plan is None else plan
        self._writing = True
        self._written = 0

    def run(self) -> list[Violation]:
        """What was violated; the history is kept in `history`."""
        self._meet()
        asyncio.run(self._run())
        self._look_into_outboxes()
        self.judge = Judge(self.history.events)
        return self.judge.violations()

    def summary(self) -> str:
        """The run in one line."""
        assert self.judge is not None
        found = self.judge.latencies()
        middle, most = (found[len(found) // 2], found[len(found) * 9 // 10]) if found else (0.0, 0.0)
        stored = sum(len(one.messages) for one in self.judge.conversations.values())
        return (
            f"{stored} messages, {len(self.judge.answers)} answers, {len(self.judge.received)} deliveries"
            f" on {len(self.judge.sockets)} sockets, {sum(map(len, self._plan))} faults,"
            f" quiet deliveries: half within {middle * 1000:.0f} ms, nine tenths within {most * 1000:.0f} ms"
        )

    # before

    def _meet(self) -> None:
        urls = self._stack.urls
        for number in range(self._size.users):
            first = Person(urls[number % len(urls)], "jepsen")
            devices = [first, *(first.another_device() for _ in range(self._size.devices - 1))]
            for person in devices:
                person.publish(0)
            self._people.append(devices)

    def _gather(self, http: httpx.AsyncClient) -> None:
        # Two of three acknowledge, some of them always; the others get everything again on each socket.
        diligence = (1.0, 0.5, 0.0)
        users: list[list[Client]] = []
        for devices in self._people:
            users.append([])
            for person in devices:
                seed = random.Random(self._random.random())
                lazy = diligence[len(self._clients) % len(diligence)]
                client = Client(person, self._stack.urls, self.history, http, seed, lazy)
                users[-1].append(client)
                self._clients.append(client)
        for number, one in enumerate(users):
            other = users[(number + 1) % len(users)]
            name = one[0].person.direct(other[0].person)
            members = [*one, *other]
            sealed = [client.device for client in members] if number % 2 else None
            self._room(Room(name, one[0], [one[0].user, other[0].user], sealed), members)
        for number in range(self._size.groups):
            shuffled = self._random.sample(users, len(users))
            inside = shuffled[: len(users) - len(users) // 3]
            name = inside[0][0].person.group(*(user[0].person for user in inside[1:]))
            room = Room(name, inside[0][0], [user[0].user for user in inside], None)
            self._room(room, [client for user in users for client in user])
            self._wanderers[name] = [user for user in users if user is not inside[0]]

    def _room(self, room: Room, clients: list[Client]) -> None:
        self._rooms.append(room)
        for client in clients:
            client.rooms.append(room)

    # during

    async def _run(self) -> None:
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
        async with httpx.AsyncClient(timeout=10, limits=limits) as http:
            await asyncio.to_thread(self._gather, http)
            running = [asyncio.create_task(client.run()) for client in self._clients]
            await self._all_synced()
            work = [asyncio.create_task(self._write(client)) for client in self._clients]
            unrest = [asyncio.create_task(self._wander(room)) for room in self._rooms if room.sealed is None]
            unrest += [asyncio.create_task(self._leave()), asyncio.create_task(self._try_again())]
            try:
                await asyncio.sleep(BASELINE_SECONDS)
                await self._nemesis.run(self._plan, self._size.every)
                await poll(lambda: self._written >= self._size.messages)
            finally:
                self._writing = False
                for task in unrest[:-1]:
                    task.cancel()
            await asyncio.gather(*work)
            await self._settle()
            unrest[-1].cancel()
            await asyncio.gather(*(client.close() for client in self._clients))
            await asyncio.gather(*running)
            await self._read_afresh()
            for task in [*work, *unrest, *running]:
                with suppress(asyncio.CancelledError):
                    await task

    def _is_synced(self) -> bool:
        return all(client.synced.is_set() for client in self._clients)

    async def _all_synced(self) -> None:
        waiting = asyncio.gather(*(client.synced.wait() for client in self._clients))
        await asyncio.wait_for(waiting, FRESH_SECONDS)

    async def _write(self, client: Client) -> None:
        each = len(self._clients) / self._size.rate
        while self._writing:
            await asyncio.sleep(self._random.expovariate(1 / each))
            if self._writing:
                self._written += 1
                await client.write(self._random.choice(client.rooms))

    async def _wander(self, room: Room) -> None:
        """Users come and go; the keeper stays."""
        while room.name in self._wanderers:
            await asyncio.sleep(self._random.uniform(0.2, 3.0))
            user = self._random.choice(self._wanderers[room.name])
            method = self._random.choice(["add", "add", "remove", "leave"])
            actor = user[0] if method == "leave" else room.keeper
            await actor.change_members(room, method, user[0].user)

    async def _leave(self) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(0.5, 3.0))
            await self._random.choice(self._clients).leave()

    async def _try_again(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            await asyncio.gather(*(client.try_again() for client in self._clients))

    def _cut(self) -> None:
        for client in self._clients:
            if self._random.random() < 0.4:
                client.cut()

    # after

    async def _settle(self) -> None:
        """All is answered, and live sockets have had the time that they are promised."""
        await poll(lambda: not any(client.unanswered for client in self._clients), ANSWER_SECONDS)
        for client in self._clients:
            for client_id, waiting in client.unanswered.items():
                self.history.note(
                    "unanswered",
                    device=client.device,
                    conversation=waiting.event["conversation"],
                    client_id=client_id,
                    since=waiting.event["at"],
                )
        await self._all_synced()
        await asyncio.gather(*(room.keeper.read(room) for room in self._rooms))
        judge = Judge(self.history.events)
        owed = {
            (client, room.name): max((one.seq for one in judge.owed(room.name, client.device)), default=0)
            for client in self._clients
            for room in client.rooms
        }
        await poll(
            lambda: all(client.highest[name] >= seq for (client, name), seq in owed.items()), SETTLE_SECONDS
        )

    async def _read_afresh(self) -> None:
        await asyncio.sleep(1.5)  # acknowledgements are in force within a second
        self.history.note("final")
        running = [asyncio.create_task(client.run()) for client in self._clients]
        with suppress(TimeoutError):
            await self._all_synced()
        await asyncio.gather(*(client.close() for client in self._clients))
        await asyncio.gather(*running)

    def _look_into_outboxes(self) -> None:
        if self._stack.form == "one":
            return
        database = self._stack.database()
        with database.cursor() as cursor:
            for schema in ("message", "auth", "key"):
                deadline = time.monotonic() + OUTBOX_SECONDS
                while True:
                    cursor.execute(f"select count(*) from {schema}.outbox")
                    row = cursor.fetchone()
                    if not row or not row[0] or time.monotonic() > deadline:
                        break
                    time.sleep(0.2)
                self.history.note("outbox", schema=schema, rows=row[0] if row else 0)
        database.close()


async def poll(check: Callable[[], bool], seconds: float = float("inf")) -> None:
    """Return once `check` is true, or after `seconds`."""
    deadline = time.monotonic() + seconds
    while not check() and time.monotonic() < deadline:  # noqa: ASYNC110 - many clients move what it asks for
        await asyncio.sleep(0.1)
