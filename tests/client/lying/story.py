"""Three people with five devices, and what happens to them: the same each time, whatever the server does.

alice has a1 and, approved in the story, a2; bob has b1 and b2; carol has c1. A step that a client refuses is
written down, and the story goes on. People are careful as far as their client lets them: whom they were told
to have another identity, or whose link was refused, they write to no more.
"""

import asyncio
import copy
import pickle
import secrets
import shutil
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from messenger.client import (
    Client,
    ClientError,
    Conversation,
    Device,
    Event,
    IdentityChanged,
    Message,
    SendFailed,
)
from messenger.client.e2e import AccountKey, DeviceKeys
from tests.client.lying.adversary import Adversary
from tests.client.lying.front import Front
from tests.client.lying.liar import Lie
from tests.client.lying.server import Server
from tests.client.lying.stage import (
    AB,
    AC,
    FILE_NAME,
    GROUP,
    OWNERS,
    PASSWORDS,
    QUICK,
    STEPS,
    UNLOCK,
    UNLOCK_TEXT,
    Outcome,
    Shown,
    Snapshot,
    Stage,
    Told,
)
from tests.client.lying.state import State


async def prologue(front: Front, folder: Path) -> Snapshot:
    """Four devices register at an honest server, and know nobody else."""
    stage, server = Stage(front), Server(State())
    front.app = server
    links, clients = {}, []
    for device in ("a1", "b1", "c1"):
        name = OWNERS[device]
        client = await Client.register(
            folder / device, front.url, name, PASSWORDS[name], UNLOCK, device_name=device, settings=QUICK
        )
        clients.append(await stage.running(client))
        links[name] = await client.contact_link()
    b2 = await Client.login(
        folder / "b2", front.url, "bob", PASSWORDS["bob"], UNLOCK, device_name="b2", settings=QUICK
    )
    clients.append(await stage.running(b2))
    await clients[1].approve_device(await b2.device_code())
    await stage.quiet()
    assert b2.approved
    for client in clients:
        await client.close()
    await stage.quiet()
    devices = frozenset(("a1", "b1", "b2", "c1"))
    return Snapshot(folder, STEPS[0], pickle.dumps(server.state), links, devices)


class Story:
    """One run of it."""

    def __init__(self, front: Front, folder: Path, snapshot: Snapshot, lies: tuple[Lie, ...] = ()) -> None:
        self.front = front
        self.folder = folder
        self.origin = snapshot.folder
        self.links = snapshot.links
        self.first = snapshot.step
        self.server = Server(pickle.loads(snapshot.state), lies)
        self.adversary = Adversary(self.server)
        for lie in lies:
            lie.server, lie.adversary, lie.keys_of = self.server, self.adversary, self._keys_of
        self.stage = Stage(front)
        self.clients: dict[str, Client] = {}
        self.outcome = copy.deepcopy(snapshot.outcome)
        self._alive = set(snapshot.devices)
        self._members = {"alice", "bob", "carol"}
        self._gone: set[str] = set()  # whom somebody has tried to remove
        self._group_id = snapshot.group_id
        for device in self._alive:
            self._copy(device)

    def _copy(self, device: str) -> None:
        """Have a device's profile as the snapshot has it."""
        shutil.copytree(self.origin / device, self.folder / device)

    async def run(self, until: str | None = None) -> Outcome:
        """Tell it to its end, or to a step."""
        self.front.app = self.server
        self.outcome.secrets += [one.encode() for one in (*PASSWORDS.values(), UNLOCK_TEXT, FILE_NAME)]
        try:
            for device in sorted(self._alive):
                await self._open(device)
            for name in STEPS[STEPS.index(self.first) :]:
                if name == until:
                    break
                await self._begin(name)
                await getattr(self, f"_{name}")()
            await self._look()
        finally:
            await asyncio.gather(*(one.close() for one in self.clients.values()), return_exceptions=True)
            await self.stage.quiet()
        return self.outcome

    def snapshot(self, step: str) -> Snapshot:
        """What the story has come to, for others to go on from."""
        kept = Outcome(told=self.outcome.told, secrets=self.outcome.secrets)
        state, devices = pickle.dumps(self.server.state), frozenset(self._alive)
        return Snapshot(self.folder, step, state, self.links, devices, self._group_id, kept)

    async def _begin(self, step: str) -> None:
        for lie in self.server.lies:
            if lie.begins == step:
                lie.begin()
            if lie.active:
                lie.step(step)
        await self.stage.quiet()

    async def _open(self, device: str) -> None:
        client = await Client.open(self.folder / device, UNLOCK, settings=QUICK)
        self.clients[device] = await self.stage.running(client)

    def _keys_of(self, device: str) -> DeviceKeys:
        keys, _, _ = self.clients[device].engine.vault._transact(lambda store: store.keys())
        return keys

    # the steps

    async def _meet(self) -> None:
        await self._try("bob's link", self.clients["a1"].add_contact(self.links["bob"]))
        await self._try("alice's link", self.clients["b1"].add_contact(self.links["alice"]))
        await self._try("carol's name", self.clients["a1"].user("carol"))
        await self._try("alice's name", self.clients["c1"].user("alice"))

    async def _approve(self) -> None:
        await self._try("login", self._login())
        if "a2" in self.clients:
            await self._try("approval", self._approval())
            if self.clients["a2"].approved:
                self._alive.add("a2")

    async def _login(self) -> None:
        client = await Client.login(
            *(self.folder / "a2", self.front.url, "alice", PASSWORDS["alice"], UNLOCK),
            device_name="a2",
            settings=QUICK,
        )
        self.clients["a2"] = await self.stage.running(client)

    async def _approval(self) -> None:
        async def confirm(device: Device) -> bool:
            return device.name == "a2"

        code = await self.clients["a2"].device_code()
        self.outcome.secrets.append(code.encode())
        await self.clients["a1"].approve_device(code, confirm)

    async def _direct(self) -> None:
        for device in ("a1", "b1", "a2", "b2"):
            await self._say(device, AB)
        for device in ("a1", "c1"):
            await self._say(device, AC)

    async def _group(self) -> None:
        title = f"garden {secrets.token_hex(8)}"
        self.outcome.secrets.append(title.encode())
        if not await self._wary("a1", GROUP):
            made = await self._try("create", self.clients["a1"].create_group(title, ["bob", "carol"]))
            self._group_id = None if made is None else made.id
        for device in ("a1", "b1", "c1", "a2", "b2"):
            await self._say(device, GROUP)

    async def _talk(self) -> None:
        for where in (AB, GROUP):
            for _ in range(3):
                await self._say("b1", where)
        for device in ("c1", "a1"):
            await self._say(device, GROUP)
        await self._say("a1", AB)

    async def _file(self) -> None:
        path = self.folder / FILE_NAME
        content = f"beans {secrets.token_hex(16)}".encode()
        path.write_bytes(content * 20)
        self.outcome.secrets.append(content)
        talk = await self._talk_of("a1", AB)
        if talk is None or await self._wary("a1", AB):
            return
        await talk.look()
        message = await self._try("send", self._bounded(talk.send_file(path)))
        if message is None:
            return
        for one in await self._history("b1", AB):
            if one.file is not None:
                target = self.folder / f"fetched-{one.id}"
                await self._try("fetch", self.clients["b1"].fetch_file(one, target))
                if target.exists():
                    assert target.read_bytes() == content * 20, "a file that is not the sender's"
                    self.outcome.steps.add("fetched")

    async def _bounded(self, work: Awaitable[Any]) -> Any:
        """Work that may wait for ever where the server lies: given up once all is quiet."""
        task = asyncio.ensure_future(work)
        await self.stage.quiet()
        await asyncio.sleep(0)
        if not task.done():
            # Files are read and encrypted in threads of their own.
            await asyncio.wait((task,), timeout=0.5)
            await self.stage.quiet()
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise ClientError("It waits.", code="waits")
        return task.result()

    async def _remove_member(self) -> None:
        talk = await self._talk_of("a1", GROUP)
        if talk is not None:
            await self._try("remove carol", talk.remove("carol"))
            self._gone.add("c1")
            if "remove carol" in self.outcome.steps:
                self._members.discard("carol")
        for device in ("a1", "b1"):
            await self._say(device, GROUP)

    async def _remove_device(self) -> None:
        await self._try("remove b2", self.clients["b1"].remove_device(self.clients["b2"].device_id))
        self._gone.add("b2")
        if "remove b2" in self.outcome.steps:
            self._alive.discard("b2")
        await self._say("b1", AB)
        await self._say("a1", AB)
        await self._say("a1", GROUP)

    async def _restart(self) -> None:
        for device in ("a1", "b1"):
            await self.clients[device].close()
            await self.stage.quiet()
            await self._open(device)

    async def _more(self) -> None:
        await self._try("bob's name", self.clients["a1"].user("bob"))
        await self._try("bob's number", self.clients["a1"].safety_number("bob"))
        for device, where in (("b1", AB), ("a1", AB), ("a2", GROUP), ("b1", GROUP), ("a1", GROUP)):
            await self._say(device, where)
        for device in ("a1", "c1"):
            await self._say(device, AC)
        await self._say("a1", AB)  # it says what a1 has seen since it wrote last

    # what they are made of

    async def _try(self, what: str, work: Awaitable[Any]) -> Any:
        try:
            found = await work
        except ClientError as error:
            self.outcome.errors.append(f"{what} {type(error).__name__}:{error.code}")
            found = None
        else:
            self.outcome.steps.add(what)
        await self.stage.quiet()
        return found

    def _readers(self, where: str) -> frozenset[str]:
        users = {AB: {"alice", "bob"}, AC: {"alice", "carol"}, GROUP: self._members}[where]
        # a2 may, from when alice has approved it; whether it knows that is the server's to hinder.
        return frozenset(one for one in {*self._alive, "a2"} if OWNERS[one] in users)

    async def _talk_of(self, device: str, where: str) -> Conversation | None:
        client = self.clients.get(device)
        if client is None or not client.approved:
            return None
        if where == GROUP:
            talks = [one for one in await client.conversations() if one.id == self._group_id]
            return talks[0] if talks else None
        other = where.split(" and ")
        peer = other[1] if OWNERS[device] == other[0] else other[0]
        found: Conversation | None = await self._try(f"direct {device} {where}", client.direct(peer))
        return found

    async def _wary(self, device: str, where: str) -> bool:
        """Whether this device's user was told that somebody there has another identity."""
        names = {AB: {"alice", "bob"}, AC: {"alice", "carol"}, GROUP: {"alice", "bob", "carol"}}[where]
        told = await self._events(device)
        refused = any(one.startswith("bob's link") for one in self.outcome.errors)
        if refused and "bob" in names and OWNERS[device] == "alice":
            return True
        return any(isinstance(one, IdentityChanged) and one.username in names for one in told)

    async def _say(self, device: str, where: str) -> None:
        talk = await self._talk_of(device, where)
        if talk is None:
            return
        await self._try(f"look {device} {where}", talk.look())
        if await self._wary(device, where):
            return
        text = f"{device} in {where}: {secrets.token_hex(12)}"
        self.outcome.secrets.append(text.encode())
        readers = self._readers(where)
        gone = self._gone if where == GROUP else self._gone - {"c1"}
        told = Told(where, device, text, readers, (readers & self._alive) - gone)
        self.outcome.told.append(told)
        message = await self._try(f"say {device} {where}", talk.enqueue(text))
        if message is None:
            return
        told.sent = await self._is_sent(device, message)

    async def _is_sent(self, device: str, message: Message) -> bool:
        found = await self.clients[device].engine.vault.run(lambda store: store.messages.get(int(message.id)))
        return found is not None and found.state == "sent"

    async def _history(self, device: str, where: str) -> list[Message]:
        return [one.message for one in await self._screen(device) if one.where == where]

    async def _events(self, device: str) -> list[Event]:
        client = self.clients[device]
        return list(await client.engine.vault.run(lambda store: store.journal.after(0, 10_000)))

    async def _screen(self, device: str) -> list[Shown]:
        found = []
        for talk in await self.clients[device].conversations():
            where = GROUP if talk.type == "group" else ""
            if talk.peer is not None:
                peer = self.server.state.users.get(talk.peer.user_id)
                where = " and ".join(sorted((OWNERS[device], "nobody" if peer is None else peer.username)))
            found += [Shown(device, where, one) for one in await talk.history(1_000)]
        return found

    async def _look(self) -> None:
        """Gather what is on the screens, what was told, and what was kept secret."""
        for device in self.clients:
            self.outcome.shown += await self._screen(device)
            events = self.outcome.events[device] = await self._events(device)
            for one in events:
                if isinstance(one, SendFailed):
                    self.outcome.errors.append(f"{device} SendFailed:{one.reason}")
            self.outcome.secrets += [one for one in await self._seeds(device) if one]

    async def _seeds(self, device: str) -> list[bytes]:
        """The private keys of a device, and of its account."""
        engine = self.clients[device].engine
        return await engine.vault.run(lambda store: [store.keys().seed, _account_seed(store)])


def _account_seed(store: Any) -> bytes:
    account = store.states.get(AccountKey, "own")
    return b"" if account is None else bytes(account.seed)
