"""Opening the profile for a command, with or without the connection."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from messenger.client import Client, NotApproved
from messenger.client.cli import secret
from messenger.client.cli.output import Output
from messenger.client.settings import Settings

SYNC_SECONDS = 30.0


def settings(chosen: argparse.Namespace) -> Settings:
    """The client's settings as the command line has them."""
    return Settings(identity_changes="refuse" if chosen.refuse_changes else "warn")


@asynccontextmanager
async def opened(chosen: argparse.Namespace) -> AsyncIterator[Client]:
    """The profile, not connected; it is closed with the block."""
    client = await Client.open(chosen.profile, secret.unlock(chosen), settings=settings(chosen))
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def connected(chosen: argparse.Namespace, output: Output) -> AsyncIterator[Client]:
    """The profile, connected, with what was waiting at the server."""
    async with opened(chosen) as client:
        client.start()
        if client.approved:
            await client.synced(SYNC_SECONDS)
        else:
            await tell_code(client, output)
        yield client


async def tell_code(client: Client, output: Output) -> None:
    """Tell the user what to do with a new device."""
    try:
        code = await client.device_code()
    except NotApproved:
        return
    output.say(
        "This device is new: an older one of yours has to approve it. There, say\n"
        f"  messenger devices approve {code}\n"
        "after comparing the code. Until then nobody encrypts to this device.",
        "bold",
    )
