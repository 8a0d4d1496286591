"""Opening the profile for a command, with or without the connection."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from messenger.client import Client, NotApproved, ServerUnreachable
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
        await connect(client, output)
        yield client
        if client.approved:
            await settle(client)  # what goes along with a message, keys for instance, is not left waiting


@asynccontextmanager
async def refreshed(chosen: argparse.Namespace, output: Output) -> AsyncIterator[Client]:
    """The profile with what was waiting at the server; off line, as it is."""
    async with opened(chosen) as client:
        try:
            await connect(client, output)
        except ServerUnreachable as error:
            output.say(f"off line, this is what was known: {error}", "yellow")
        yield client


async def connect(client: Client, output: Output) -> None:
    """Connect, and return when what was waiting is here; ServerUnreachable."""
    client.start()
    await client.reached()
    if not client.approved:
        await tell_code(client, output)
        return
    await settle(client)


async def settle(client: Client) -> None:
    """Return when what was waiting, there and here, is through; ServerUnreachable."""
    try:
        await client.synced(SYNC_SECONDS)
    except TimeoutError:
        raise ServerUnreachable(f"{client.server} takes too long.") from None


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
