"""Devices that run the engine's own rules on real vaults, and a server made of lists, which a test has lie.

No network: what a device queues is sealed by `sealing`, filed by `Talk`, and taken in by `run.attempt`; what
the rules want to know of the server is answered from what the test's people publish.
"""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

from messenger.client import events
from messenger.client.authoring import Authoring
from messenger.client.e2e import AccountKey, Policy, Text
from messenger.client.e2e.bodies import Known
from messenger.client.e2e.roster import Entry, Roster
from messenger.client.engine import approval, directory, membership, rosters, sealing, settling
from messenger.client.engine.asking import take_conversation
from messenger.client.engine.batch import Batch
from messenger.client.engine.inbox import Inbox
from messenger.client.engine.queueing import queue
from messenger.client.engine.receiving import Behind
from messenger.client.engine.run import Asked, Durable, Lacks, attempt
from messenger.client.engine.sealing import Needs, Waits
from messenger.client.engine.vault import Store, Vault
from messenger.client.records import Message as Record
from messenger.client.store.unlock import Passphrase
from messenger.wire.conversations import Message
from messenger.wire.frames import SentFrame
from messenger.wire.times import rfc3339
from tests.client.e2e_world import User
from tests.client.engine_forging import Forger
from tests.client.engine_talk import MOMENT, Talk

T = TypeVar("T")
UNLOCK = Passphrase("of the tests", memory_kib=64)


class Asks:
    """What an inbox asks of the server, answered from what the test's people publish."""

    def __init__(self, desk: "Desk") -> None:
        self._desk = desk

    async def learn(self, user_id: str) -> None:
        user = self._desk.world.users[user_id]
        said, policy = user.identities(), self._desk.world.policy
        await self._desk.vault.run(lambda store: directory.learn(store, user_id, said, policy))

    async def names(self, user_ids: list[str]) -> None:
        names = self._desk.world.names
        for one in user_ids:
            await self._desk.vault.run(lambda store, u=one: directory.name_user(store, u, names[u]))  # type: ignore[misc]

    async def learn_senders(self, senders: list[tuple[str, str]]) -> None:
        for user_id, _ in senders:
            await self.learn(user_id)


class Desk(Forger):
    """One device at work, without its connection."""

    def __init__(self, world: "World", user: User, path: Path) -> None:
        self.world = world
        self.user = user
        self.device = user.device()
        self.read: dict[str, int] = {}
        self.path = path
        self._loop = world.loop
        self.vault = self._loop.run_until_complete(Vault.open(path, UNLOCK, create=True))
        self.run(self._begin)

    def _begin(self, store: Store) -> None:
        store.account.set("user_id", self.user.user_id)
        store.account.set("device_id", self.device.device_id)
        store.states.save("own", self.device.keys)
        approval.adopt(store, AccountKey(self.user.account.seed))

    def run(self, work: Callable[[Store], T]) -> T:
        return self._loop.run_until_complete(self.vault.run(work))

    def close(self) -> None:
        self._loop.run_until_complete(self.vault.close())

    def copy(self) -> Path:
        """A copy of the profile, as a backup makes it."""
        self.close()
        made = self.path.with_name(f"{self.path.name}-copy")
        shutil.copytree(self.path, made)
        self._open()
        return made

    def restore(self, copy: Path) -> None:
        """The profile as it was when it was copied."""
        self.close()
        shutil.rmtree(self.path)
        shutil.copytree(copy, self.path)
        self._open()

    def _open(self) -> None:
        self.vault = self._loop.run_until_complete(Vault.open(self.path, UNLOCK))

    # what the server is asked

    def learn(self, user_id: str) -> None:
        user = self.world.users.get(user_id)
        if user is not None:
            said = user.identities()
            self.run(lambda store: directory.learn(store, user_id, said, self.world.policy))

    def know(self, talk: Talk, peer: User | None = None) -> None:
        """Have a conversation and its members as the server names them."""
        for user in self.world.users.values():
            self.run(lambda store, u=user: directory.name_user(store, u.user_id, self.world.names[u.user_id]))  # type: ignore[misc]
        peer_id = None if peer is None else peer.user_id
        self.run(lambda store: take_conversation(store, talk.said(self), talk.members(), peer=peer_id))

    # taking in

    def take(self, *found: Durable) -> None:
        """Take frames in as `Inbox` does."""
        asked = Asked()
        while True:
            batch = self.world.batch(frozenset(asked.users))
            try:
                done = self.run(lambda store: attempt(store, batch, list(found), asked))
            except Behind as behind:
                asked.users.add(behind.user_id)
                self.learn(behind.user_id)
                continue
            if not isinstance(done, Lacks):
                return
            for conversation_id in done.conversations:
                asked.conversations.add(conversation_id)
                self.know(self.world.talks[conversation_id])
            asked.names.update(done.users)
            asked.senders.update(done.senders)
            for user_id in dict.fromkeys([*done.users, *(user for user, _ in done.senders)]):
                self.learn(user_id)
            for conversation_id, holes in done.holes.items():
                asked.filled.add(conversation_id)
                self._fill(self.world.talks[conversation_id], holes)

    def _fill(self, talk: Talk, holes: list[int]) -> None:
        hidden = talk.held.get(self.device.device_id, set())
        asked = [talk.at(seq, self) for seq in holes if seq <= len(talk.filed) and seq not in hidden]
        if asked:
            batch = self.world.batch()
            fresh = Asked(filled={talk.conversation_id})
            for one in asked:
                if one.sender_id is not None:
                    self.learn(one.sender_id)
            done = self.run(lambda store: attempt(store, batch, list(asked), fresh))
            assert not isinstance(done, Lacks), done

    def fetch(self, talk: Talk) -> None:
        """Fetch what is missing up to the end of a conversation, as after each connection."""
        desk = self

        class Api:
            async def messages(self, _: str, after: int, limit: int) -> list[Message]:
                hidden = talk.held.get(desk.device.device_id, set())
                shown = [one for one in talk.filed if one.seq > after and one.seq not in hidden]
                return [talk.message(one, desk) for one in shown[:limit]]

        inbox = Inbox(self.vault, Api(), Asks(self), SimpleNamespace(answered=print), print)  # type: ignore[arg-type]
        socket = SimpleNamespace(say=lambda _: None)
        self._loop.run_until_complete(
            inbox.fetch(socket, talk.conversation_id, len(talk.filed))  # type: ignore[arg-type]
        )

    def sync(self, talk: Talk) -> None:
        """Take in all that was filed since, one after the other, and answer what it asks for."""
        hidden = talk.held.get(self.device.device_id, set())
        for filed in talk.filed[self.read.get(talk.conversation_id, 0) :]:
            if filed.seq not in hidden:
                self.take(talk.message(filed, self))
        self.read[talk.conversation_id] = len(talk.filed)

    # sending

    def pump(self, talk: Talk, most: int = 300, answer: bool = True) -> list[int]:
        """Send what waits, as a lane of `Sending` does; the places. `answer` False: no answer comes."""
        places = []
        rounds: dict[str, int] = {}
        while True:
            queued = self.run(lambda store: store.outbox.first(talk.conversation_id))
            if queued is None:
                return places
            draft = self._draft(talk, queued.client_id)
            if draft is None:
                rounds[queued.client_id] = rounds.get(queued.client_id, 0) + 1
                assert rounds[queued.client_id] <= 8, "the lane turns round and round"
                continue
            self.run(lambda store, c=queued.client_id: store.outbox.tried(c))  # type: ignore[misc]
            places.append(talk.file(self.device, draft))
            assert len(places) < most, "the lane never ends"
            if not answer:
                return places
            self.take(self.answer(talk, queued.client_id))

    def answer(self, talk: Talk, client_id: str) -> SentFrame:
        seq = next(one.seq for one in talk.filed if one.draft.client_id == client_id)
        return SentFrame(ref=client_id, conversation_id=talk.conversation_id, seq=seq, created_at=MOMENT)

    def _draft(self, talk: Talk, client_id: str) -> bytes | None:
        asked: frozenset[str] = frozenset()
        for user in talk.users:
            self.learn(user.user_id)
        for _ in range(20):
            batch = self.world.batch(asked)
            try:
                return self.run(lambda store: sealing.seal(store, batch, client_id, talk.view())).draft
            except Needs as needs:
                for user_id in needs.users:
                    self.learn(user_id)
                asked |= frozenset(needs.users)
                bundles = [
                    device.bundle()
                    for user in self.world.users.values()
                    for device in user.devices
                    if device.device_id in needs.devices
                ]
                self.run(lambda store: directory.begin_sessions(store, bundles))
                self.run(
                    lambda store: store.database.run(
                        "update outbox set fresh = 0 where client_id = ?", client_id
                    )
                )
        raise AssertionError("sealing asks without end")

    def waits(self, talk: Talk) -> bool:
        """Whether nothing can be sent before the roster is here."""
        try:
            self.pump(talk)
        except Waits:
            return True
        return False

    def write(self, talk: Talk, text: str = "hello") -> Record:
        """Queue a text, as an application does."""
        settings = SimpleNamespace(settings=SimpleNamespace(queue=1_000))
        there = SimpleNamespace(id=talk.conversation_id, _client=SimpleNamespace(engine=settings))
        return self.run(lambda store: Authoring._put(there, store, Text(text=text)))  # type: ignore[arg-type]

    def say(self, talk: Talk, text: str = "hello") -> int:
        """Write a text and have it filed; its place."""
        self.write(talk, text)
        return self.pump(talk)[-1]

    def tell(self, talk: Talk, body: Known, targets: list["Desk"] | None = None) -> int:
        """Say something else, to all or to some devices; its place."""
        found = None if targets is None else [self._known(one) for one in targets]
        self.run(lambda store: queue(store, self.world.batch(), talk.conversation_id, body, found))
        return self.pump(talk)[-1]

    def give_up(self, talk: Talk, client_id: str) -> None:
        def fail(store: Store) -> None:
            queued = store.outbox.get(client_id)
            assert queued is not None
            settling.fail(store, queued, "refused", "The server refuses.", stored=False)

        self.run(fail)

    # rosters

    def change(self, talk: Talk, put: list[Entry] | None = None, remove: list[User] | None = None) -> str:
        """Queue a change of the roster; its client_id."""
        for entry in put or []:
            self.learn(entry.user_id)
        gone = [one.user_id for one in remove or []]
        found = self.run(
            lambda store: membership.propose(store, self.world.batch(), talk.conversation_id, put or [], gone)
        )
        assert found is not None
        return found

    def roster(self, talk: Talk) -> Roster | None:
        return self.run(lambda store: rosters.current(store, talk.conversation_id))

    # what the application sees

    def told(self, kind: type[T]) -> list[T]:
        found = self.run(lambda store: store.journal.after(0, 10_000))
        return [one for one in found if isinstance(one, kind)]

    def warnings(self) -> list[tuple[str, str]]:
        """What was told of the server or of others: kind and reason."""
        return [(type(one).__name__, one.reason) for one in self.told(events.ServerWarning)]

    def texts(self, talk: Talk) -> list[str]:
        found = self.run(lambda store: store.messages.history(talk.conversation_id, 1_000, None))
        return [one.text for one in found if one.state != "deleted"]


class World:
    """Users with their desks, and the conversations at the server."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.loop = asyncio.new_event_loop()
        self.users: dict[str, User] = {}
        self.names: dict[str, str] = {}
        self.talks: dict[str, Talk] = {}
        self.desks: list[Desk] = []
        self.policy = Policy.WARN
        self.now = time.time()

    def batch(self, asked: frozenset[str] = frozenset()) -> Batch:
        return Batch(self.now, rfc3339(int(self.now * 1000)), asked)

    def user(self, name: str) -> User:
        made = User()
        self.users[made.user_id] = made
        self.names[made.user_id] = name
        return made

    def desk(self, name: str, user: User | None = None) -> Desk:
        """A device at work: of a new user, or one more of this one's."""
        made = Desk(self, user or self.user(name), self.path / f"{name}-{len(self.desks)}")
        self.desks.append(made)
        made.learn(made.user.user_id)
        for other in self.desks:
            if other.user is made.user:
                other.learn(made.user.user_id)
        return made

    def group(self, owner: Desk, *others: Desk) -> Talk:
        """A group that the owner makes; its roster is handed over and taken."""
        users = [owner.user, *dict.fromkeys(one.user for one in others if one.user is not owner.user)]
        talk = self.talk("group", users)
        for user in users:
            owner.learn(user.user_id)
        members = [one.user_id for one in users[1:]]
        owner.run(lambda store: membership.make_first(store, talk.conversation_id, members))
        owner.know(talk)
        for desk in others:
            desk.know(talk)
        self.hand_over(owner, talk)
        self.settle(talk, *others)
        return talk

    def hand_over(self, desk: Desk, talk: Talk) -> None:
        def put(store: Store) -> None:
            row = store.conversations.get(talk.conversation_id)
            assert row is not None
            rosters.hand_over(store, self.batch(), row, rosters.devices_of(store, talk.conversation_id))

        desk.run(put)
        desk.pump(talk)

    def direct(self, one: Desk, other: Desk) -> Talk:
        talk = self.talk("direct", [one.user, other.user])
        one.know(talk, other.user)
        other.know(talk, one.user)
        return talk

    def talk(self, kind: str, users: list[User]) -> Talk:
        talk = Talk(kind, users)
        self.talks[talk.conversation_id] = talk
        return talk

    def settle(self, talk: Talk, *desks: Desk) -> None:
        """Have these take in what was filed and send what they have to say to it, until all is quiet."""
        for _ in range(20):
            before = len(talk.filed)
            for desk in desks:
                desk.sync(talk)
                desk.waits(talk)
            if len(talk.filed) == before:
                return
        raise AssertionError("it never gets quiet")

    def entry(self, desk: Desk, role: str = "member") -> Entry:
        return Entry(desk.user.user_id, desk.user.account.public, role)  # type: ignore[arg-type]

    def close(self) -> None:
        for desk in self.desks:
            desk.close()
        self.loop.close()


@contextmanager
def world_in(path: Path) -> Iterator[World]:
    """A world, closed at the end."""
    made = World(path)
    try:
        yield made
    finally:
        made.close()
