"""What the client's library does: messages that one client encrypts and sends, and a file of 1 GiB.

Messages go through everything: store, ratchet, WebSocket, the server's commit and its answer. In a
conversation one is on its way at a time, so several conversations at once show what the client itself can do.
`python -m benchmarks messenger_client`; two to five minutes.
"""

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Row
from benchmarks.system import system
from messenger.client import Client, Passphrase
from tests.system.people import PASSWORD, unique

MESSAGES = 400
CONVERSATIONS = 8
SIZE = 1 << 30
UNLOCK = Passphrase("of the benchmark", memory_kib=1024)
ROOM = {"MESSENGER_FILE__SIZE": str(2 << 30), "MESSENGER_FILE__QUOTA": str(8 << 30)}


async def _register(folder: Path, url: str) -> Client:
    profile = folder / unique("bench")
    client = await Client.register(profile, url, profile.name, PASSWORD, UNLOCK)
    client.start()
    await client.synced(60)
    return client


async def _messages(folder: Path, url: str) -> tuple[float, float]:
    """Messages a second in one conversation, and in several at once."""
    ann = await _register(folder, url)
    peers = [await _register(folder, url) for _ in range(CONVERSATIONS)]
    talks = [await ann.direct(peer.username) for peer in peers]
    for talk in talks:
        await talk.send("a session stands")
    for peer in peers:
        await peer.close()
    rates = []
    for among in (talks[:1], talks):
        began = time.perf_counter()
        queued = [await among[n % len(among)].enqueue(f"message {n}") for n in range(MESSAGES)]
        await asyncio.gather(*(ann.settled(message) for message in queued))
        rates.append(MESSAGES / (time.perf_counter() - began))
    await ann.close()
    return rates[0], rates[1]


async def _file(folder: Path, url: str, size: int) -> None:
    """One file up and down; prints the seconds of each and the process' peak memory in MB."""
    ann, bob = await _register(folder, url), await _register(folder, url)
    path = folder / "large.bin"
    with path.open("wb") as out:
        block = os.urandom(1 << 20)
        for _ in range(size >> 20):
            out.write(block)
    talk = await ann.direct(bob.username)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    message = await talk.send_file(path)
    up = time.perf_counter() - began
    assert message.file is not None
    began = time.perf_counter()
    await ann.fetch_file(message, folder / "back.bin")
    down = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await ann.close()
    await bob.close()
    print(up, down, before * 1024 / 1e6, after * 1024 / 1e6)


def run() -> list[Row]:
    """All rows."""
    with tempfile.TemporaryDirectory() as folder, system(settings=ROOM) as stack:
        one, several = asyncio.run(_messages(Path(folder), stack.url))
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.messenger_client", folder, stack.url, str(SIZE)],
            capture_output=True,
            text=True,
            check=True,
        )
        up, down, before, after = (float(word) for word in done.stdout.split())
    mib = SIZE >> 20
    return [
        Row("messages a client encrypts and sends, one conversation", one, "1/s"),
        Row(f"the same, {CONVERSATIONS} conversations at once", several, "1/s"),
        Row(f"a file of {mib} MiB, encrypted and sent", up, "s"),
        Row(f"a file of {mib} MiB, fetched and decrypted", down, "s"),
        Row("peak memory of the client, before the file", before, "MB"),
        Row("peak memory of the client, after the file", after, "MB"),
    ]


if __name__ == "__main__":
    asyncio.run(_file(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
