"""password, passphrase: other secrets for the account and for the profile."""

import argparse
import os
from pathlib import Path

from messenger.client import Client, Passphrase, WrongPassphrase
from messenger.client.cli import secret
from messenger.client.cli.account import Commands
from messenger.client.cli.opening import opened, settings
from messenger.client.cli.output import Output


def add_commands(commands: Commands) -> None:
    """Add these commands to the command line."""
    made = commands.add_parser(
        "password", help="another password for the account; all other devices have to log in again"
    )
    made.add_argument(
        "--new-password-file",
        metavar="FILE",
        type=Path,
        help="read the new one from there (or MESSENGER_NEW_PASSWORD)",
    )
    made.set_defaults(command=password)
    made = commands.add_parser("passphrase", help="another passphrase for this profile; the password stays")
    made.add_argument(
        "--new-passphrase-file",
        metavar="FILE",
        type=Path,
        help="read the new one from there (or MESSENGER_NEW_PASSPHRASE)",
    )
    made.set_defaults(command=passphrase)


async def password(chosen: argparse.Namespace, output: Output) -> None:
    async with opened(chosen) as client:
        current = secret.password(chosen)
        new = secret.fresh(
            chosen.new_password_file, "MESSENGER_NEW_PASSWORD", "New password (10 characters at least): "
        )
        await client.change_password(current, new)
        try:
            # Who has one secret for both goes on with one.
            await client.change_passphrase(Passphrase(current), Passphrase(new))
            also, words = True, "The password was changed, and opens this profile too."
        except WrongPassphrase:
            also, words = False, "The password was changed. What opens this profile stays as it was."
        output.result({"username": client.username, "passphrase_changed": also}, words)


async def passphrase(chosen: argparse.Namespace, output: Output) -> None:
    old = secret.unlock(chosen)
    if not isinstance(old, Passphrase):
        raise secret.NoSecret("This profile has no passphrase: its key is in the system's keyring.")
    client = await Client.open(chosen.profile, old, settings=settings(chosen))
    try:
        new = secret.fresh(
            chosen.new_passphrase_file, "MESSENGER_NEW_PASSPHRASE", "New passphrase of the profile: "
        )
        if not new:
            raise secret.NoSecret("An empty passphrase protects nothing.")
        await client.change_passphrase(old, Passphrase(new))
    finally:
        await client.close()
    output.result({"profile": os.fspath(chosen.profile)}, "The passphrase was changed.")
