"""The story of the lying server, told by devices of the web client."""

import asyncio
import base64
import pickle
from pathlib import Path
from typing import Any

from messenger.client import Event, Message
from messenger.client.e2e import DeviceKeys
from tests.client.lying.front import Front
from tests.client.lying.server import Server
from tests.client.lying.stage import OWNERS, PASSWORDS, STEPS, Outcome, Snapshot, Stage
from tests.client.lying.state import State
from tests.client.lying.story import Story
from tests.web.agent import Agent, Device

ROUNDS = 2  # in which nothing has moved on either side
LONGEST_QUIET = 60.0  # seconds


class WebStage(Stage):
    """Knows when nothing is going on on either side."""

    def __init__(self, front: Front, agent: Agent) -> None:
        super().__init__(front)
        self.agent = agent
        self.devices: list[Device] = []

    async def quiet(self) -> None:
        """Return once no device and no answer is on its way."""
        async with asyncio.timeout(LONGEST_QUIET):
            calm, before = 0, (-1, -1)
            while calm < ROUNDS:
                moved = await self.agent.do("quiet")
                await super().quiet()
                after = (self.front.activity, moved)
                calm = calm + 1 if after == before else 0
                before = after
        self.devices = [one for one in self.devices if not one.closed]
        for device in self.devices:
            await device.look()


async def _running(stage: WebStage, what: str, profile: Path, name: str | None = None) -> Device:
    said: dict[str, Any] = {"profile": str(profile), "server": stage.front.url}
    if name is not None:
        owner = OWNERS[name]
        said |= {"username": owner, "password": PASSWORDS[owner], "name": name}
    device = Device(stage.agent, str(profile), await stage.agent.do(what, **said))
    stage.devices.append(device)
    await stage.quiet()
    return device


async def prologue(front: Front, folder: Path, agent: Agent) -> Snapshot:
    """Four devices register at an honest server, and know nobody else."""
    stage, server = WebStage(front, agent), Server(State())
    front.app = server
    links = {}
    for name in ("a1", "b1", "c1"):
        device = await _running(stage, "register", folder / name, name)
        links[OWNERS[name]] = await device.contact_link()
    b2 = await _running(stage, "login", folder / "b2", "b2")
    await stage.devices[1].do("approve", code=await b2.device_code(), name="b2")
    await stage.quiet()
    assert b2.approved
    for device in stage.devices:
        await device.close()
    await stage.quiet()
    devices = frozenset(("a1", "b1", "b2", "c1"))
    return Snapshot(folder, STEPS[0], pickle.dumps(server.state), links, devices)


class WebStory(Story):
    """One run of it; `agent` is set by who plays it."""

    agent: Agent
    stage: WebStage

    def __init__(self, front: Front, folder: Path, *more: Any) -> None:
        self._uncopied: set[str] = set()
        self._profiles: set[str] = set()
        self._own_seeds: dict[str, dict[str, Any]] = {}
        super().__init__(front, folder, *more)
        self.stage = WebStage(front, self.agent)

    async def run(self, until: str | None = None) -> Outcome:
        """Tell it; nothing is left of it."""
        try:
            return await super().run(until)
        finally:
            if until is None:
                for profile in self._profiles:
                    await self.agent.do("remove", profile=profile)

    def _copy(self, device: str) -> None:
        self._uncopied.add(device)

    async def _open(self, device: str) -> None:
        if device in self._uncopied:
            self._uncopied.discard(device)
            await self.agent.do("copy", to=str(self.folder / device), **{"from": str(self.origin / device)})
        await self._made(device, await _running(self.stage, "open", self.folder / device))

    async def _made(self, name: str, device: Device) -> None:
        self.clients[name] = device  # type: ignore[assignment]
        self._profiles.add(device.profile)
        self._own_seeds[name] = await device.do("keys")

    def _keys_of(self, device: str) -> DeviceKeys:
        found = self._own_seeds[device]
        seed = _bytes(found["seed"])
        return DeviceKeys.create(found["userId"], found["deviceId"], now=0.0, random=lambda _: seed)

    async def _login(self) -> None:
        await self._made("a2", await _running(self.stage, "login", self.folder / "a2", "a2"))

    async def _approval(self) -> None:
        code = await self.clients["a2"].device_code()
        self.outcome.secrets.append(code.encode())
        await self.clients["a1"].do("approve", code=code, name="a2")  # type: ignore[attr-defined]

    async def _is_sent(self, device: str, message: Message) -> bool:
        found = await self.clients[device].do("message", message=int(message.id))  # type: ignore[attr-defined]
        return bool(found["state"] == "sent")

    async def _events(self, device: str) -> list[Event]:
        found: list[Event] = await self.clients[device].events()  # type: ignore[assignment,call-arg]
        return found

    async def _seeds(self, device: str) -> list[bytes]:
        found = await self.clients[device].do("keys")  # type: ignore[attr-defined]
        return [_bytes(found["seed"]), _bytes(found["account"])]


def _bytes(said: str | None) -> bytes:
    return b"" if said is None else base64.b64decode(said)
