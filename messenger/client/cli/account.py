"""register, login, logout, whoami, export: the account and its profile."""

import argparse
import os
from pathlib import Path
from typing import TypeAlias

from messenger.client import Client
from messenger.client.cli import secret
from messenger.client.cli.opening import connect, opened, settings
from messenger.client.cli.output import Output

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_commands(commands: Commands) -> None:
    """Add these commands to the command line."""
    made = commands.add_parser("register", help="make an account at the server; this is its first device")
    made.add_argument("name", metavar="NAME", help="3 to 32 of a-z 0-9 . _ -, beginning with a letter")
    made.add_argument("--invite", metavar="CODE", help="where the server wants one")
    made.add_argument("--device-name", metavar="TEXT", help="how this device is listed")
    made.set_defaults(command=register)
    made = commands.add_parser("login", help="log in: as a new device, or again as this profile's")
    made.add_argument("name", metavar="NAME")
    made.add_argument("--device-name", metavar="TEXT", help="how this device is listed")
    made.add_argument(
        "--allow-bare-password",
        action="store_true",
        help="send the password itself, where the account is so old that the server knows no other",
    )
    made.set_defaults(command=login)
    made = commands.add_parser("logout", help="end this device's session; keys and messages stay here")
    made.set_defaults(command=logout)
    made = commands.add_parser("whoami", help="account, device, server and safety of this profile")
    made.set_defaults(command=whoami)
    made = commands.add_parser("export", help="write all messages to a file, in the clear, as JSON lines")
    made.add_argument("path", metavar="PATH", type=Path)
    made.add_argument("--overwrite", action="store_true")
    made.set_defaults(command=export)


async def register(chosen: argparse.Namespace, output: Output) -> None:
    password = secret.new_password(chosen)
    client = await Client.register(
        chosen.profile,
        chosen.server,
        chosen.name,
        password,
        secret.unlock(chosen, password),
        invite=chosen.invite,
        device_name=chosen.device_name,
        settings=settings(chosen),
    )
    await _settle(client, output)
    output.result(
        _self(client), f"Welcome, {client.username}. Your keys and messages are in {chosen.profile}."
    )


async def login(chosen: argparse.Namespace, output: Output) -> None:
    password = secret.password(chosen)
    client = await Client.login(
        chosen.profile,
        chosen.server,
        chosen.name,
        password,
        secret.unlock(chosen, password),
        second_factor=secret.code,
        device_name=chosen.device_name,
        allow_bare_password=chosen.allow_bare_password,
        settings=settings(chosen),
    )
    await _settle(client, output)
    output.result(_self(client), f"Logged in as {client.username}.")


async def _settle(client: Client, output: Output) -> None:
    """Publish keys and fetch what waits, so that others can write at once; then close."""
    try:
        await connect(client, output)
    finally:
        await client.close()


async def logout(chosen: argparse.Namespace, output: Output) -> None:
    async with opened(chosen) as client:
        await client.logout()
        output.result(_self(client), "Logged out. `messenger login` goes on as this device.")


async def whoami(chosen: argparse.Namespace, output: Output) -> None:
    async with opened(chosen) as client:
        words = (
            f"{client.username} at {client.server}\nuser    {client.user_id}\ndevice  {client.device_id}"
            f"{'' if client.approved else ' (not approved yet)'}\nprofile {chosen.profile}"
        )
        output.result(_self(client), words)


async def export(chosen: argparse.Namespace, output: Output) -> None:
    async with opened(chosen) as client:
        count = await client.export(chosen.path, overwrite=chosen.overwrite)
        output.result(
            {"path": os.fspath(chosen.path), "messages": count},
            f"{count} messages written to {chosen.path}, in the clear: keep it safe.",
        )


def _self(client: Client) -> dict[str, object]:
    return {
        "username": client.username,
        "user_id": client.user_id,
        "device_id": client.device_id,
        "server": client.server,
        "approved": client.approved,
    }
