"""A thousand messages each way, while clients and services are killed at random: all read once, in order."""

import asyncio
import random
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest

from messenger.client import Client
from tests.system.people import PASSWORD, unique
from tests.system.stack import Stack, running
from tests.system.talkers import QUICK, UNLOCK

pytestmark = [pytest.mark.system, pytest.mark.long]

MESSAGES = 1_000
SECONDS = 400.0
KILLS = 12
SERVICES = {"one": ["messenger"], "apart": ["gateway-1", "auth-1", "key-1", "message-1", "message-2"]}


def start(profile: Path, peer: str, mark: str, count: int = MESSAGES) -> "subprocess.Popen[bytes]":
    """A client in its own process."""
    arguments = [str(profile), peer, str(count), mark, str(profile) + ".log"]
    return subprocess.Popen([sys.executable, "-m", "tests.system.talking_child", *arguments])


def heard(profile: Path) -> list[str]:
    """What a client has written down."""
    log = Path(str(profile) + ".log")
    return [line.split("\t", 1)[1] for line in log.read_text().splitlines()] if log.exists() else []


async def register(folder: Path, url: str) -> Path:
    """A new user's profile, published."""
    profile = folder / unique("talker")
    client = await Client.register(profile, url, profile.name, PASSWORD, UNLOCK, settings=QUICK)
    async with client:
        await client.synced(60)
    return profile


async def open_direct(profile: Path, peer: str) -> None:
    """Make the direct conversation before both sides do."""
    async with await Client.open(profile, UNLOCK, settings=QUICK) as client:
        await client.direct(peer)


def holding(folder: Path, mark: bytes) -> list[Path]:
    """The files below a folder that hold a text in the clear."""
    return [path for path in folder.rglob("*") if path.is_file() and mark in path.read_bytes()]


@pytest.mark.parametrize("form", SERVICES)
def test_kills_lose_nothing_and_repeat_nothing(tmp_path: Path, form: str) -> None:
    mark = f"plaintext-{secrets.token_hex(8)}"
    seed = secrets.randbits(32)
    dice = random.Random(seed)
    with running(Stack(tmp_path / "stack", form)) as stack:
        profiles = [asyncio.run(register(tmp_path, stack.url)) for _ in range(2)]
        names = [profile.name for profile in profiles]
        asyncio.run(open_direct(profiles[0], names[1]))
        children = [start(profiles[n], names[1 - n], mark) for n in range(2)]
        deadline = time.monotonic() + SECONDS
        # A kill when so many messages were heard on both sides together: wherever that finds them.
        kills = sorted(dice.sample(range(20, 2 * MESSAGES - 200), KILLS))
        victims: list[str] = []
        try:
            while min(counts := [len(heard(profile)) for profile in profiles]) < MESSAGES:
                assert time.monotonic() < deadline, (counts, seed, victims)
                if not kills or sum(counts) < kills[0]:
                    time.sleep(0.02)
                    continue
                kills.pop(0)
                victims.append(dice.choice(["child", "child", "service"]))
                if victims[-1] == "service":
                    victims[-1] = dice.choice(SERVICES[form])
                    stack.kill(victims[-1])
                    stack.restart(victims[-1])
                    stack.wait_ready()
                    continue
                n = dice.randrange(2)
                children[n].kill()
                children[n].wait()
                children[n] = start(profiles[n], names[1 - n], mark)
        finally:
            for child in children:
                child.kill()
                child.wait()
        print(f"seed {seed}: {victims} killed")
        for n in range(2):
            expected = [f"{mark} {names[1 - n]} {number}" for number in range(MESSAGES)]
            assert heard(profiles[n]) == expected, (seed, victims)
    assert len(victims) == KILLS
    assert holding(tmp_path / "stack", mark.encode()) == []
    assert [path for one in profiles for path in holding(one, mark.encode())] == []
