"""A client as a process of its own, to be killed at any moment: `talking_child PROFILE PEER COUNT MARK LOG`.

It sends its peer `MARK NAME 0`, `MARK NAME 1` ... up to COUNT, going on where its own store says that it was,
and writes each text that it hears into LOG with the event's position, by which it goes on too.
"""

import asyncio
import os
import sys
from pathlib import Path

from messenger.client import Client, MessageReceived, ServerWarning, Settings
from tests.system.talkers import UNLOCK

IN_FLIGHT = 20


async def talk(profile: Path, peer: str, count: int, mark: str, log: Path) -> None:
    """Send and hear everything."""
    settings = Settings(first_retry=0.05, last_retry=1.0)
    async with await Client.open(profile, UNLOCK, settings=settings) as client:
        conversation = await client.direct(peer)
        hearing = asyncio.ensure_future(hear(client, log))
        said = sum(message.outgoing for message in await conversation.history(10 * count))
        waiting: set[asyncio.Future[object]] = set()
        for number in range(said, count):
            message = await conversation.enqueue(f"{mark} {client.username} {number}")
            waiting.add(asyncio.ensure_future(client.settled(message)))
            if len(waiting) >= IN_FLIGHT:
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        await hearing


async def hear(client: Client, log: Path) -> None:
    """Write down what is heard, for ever."""
    descriptor = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    lines = os.read(descriptor, 1 << 24).decode().splitlines()
    after = int(lines[-1].split("\t")[0]) if lines else None
    async for event in client.events(after):
        if isinstance(event, MessageReceived) and not event.message.outgoing:
            os.write(descriptor, f"{event.position}\t{event.message.text}\n".encode())
        elif isinstance(event, ServerWarning):
            os.write(descriptor, f"{event.position}\tWARNING {event}\n".encode())


if __name__ == "__main__":
    asyncio.run(talk(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], Path(sys.argv[5])))
