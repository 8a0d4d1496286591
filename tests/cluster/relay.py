"""Lets machines (network.py) reach an engine that listens on our loopback only.

python -m tests.cluster.relay HOST:PORT ...     each is relayed to the same port of 127.0.0.1
"""

import asyncio
import sys
from contextlib import suppress

CHUNK = 65_536


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _relay(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))


async def main(places: list[str]) -> None:
    """Listen until killed; says `ready` once it does."""
    for place in places:
        host, _, port = place.rpartition(":")
        number = int(port)
        await asyncio.start_server(lambda r, w, number=number: _relay(number, r, w), host, number)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
