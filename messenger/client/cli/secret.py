"""Where the command line has its secrets from: never from an argument, which everybody here can read.

The password is asked for at the terminal, read from `--password-file`, or taken from MESSENGER_PASSWORD. The
profile is encrypted under a passphrase: MESSENGER_PASSPHRASE or `--passphrase-file`, else the password, so
that there is one secret to remember; or, with `--keyring`, under a key in the system's keyring. New ones, for
`messenger password` and `messenger passphrase`, come in the same ways, apart from these.
"""

import argparse
import asyncio
import getpass
import os
import sys
from collections.abc import Callable
from pathlib import Path

from messenger.client import Client, ClientError, Passphrase, SystemKeyring
from messenger.client.store.unlock import Unlock

MOST_BYTES = 4096


class NoSecret(ClientError):
    """A secret is needed, and there is no terminal to ask at."""

    code = "no_secret"


def new_password(chosen: argparse.Namespace) -> str:
    """The password for a new account; at a terminal it is typed twice."""
    return fresh(chosen.password_file, "MESSENGER_PASSWORD", "Password (10 characters at least): ")


def fresh(path: Path | None, variable: str, prompt: str) -> str:
    """A new secret, by file or environment; at a terminal it is typed twice."""
    given = _given(path, variable)
    if given is not None:
        return given
    first = _ask(prompt)
    if _ask("The same again: ") != first:
        raise NoSecret("The two are not the same.")
    return first


def password(chosen: argparse.Namespace) -> str:
    """The account's password."""
    given = _given(chosen.password_file, "MESSENGER_PASSWORD")
    return _ask("Password: ") if given is None else given


def unlock(chosen: argparse.Namespace, account_password: str | None = None) -> Unlock:
    """The passphrase or keyring that opens the profile; `account_password` where it is known already."""
    if chosen.keyring or (Client.exists(chosen.profile) and Client.unlock_kind(chosen.profile) == "keyring"):
        return SystemKeyring()
    given = _given(chosen.passphrase_file, "MESSENGER_PASSPHRASE")
    if given is None:
        given = account_password
    if given is None:
        given = _given(chosen.password_file, "MESSENGER_PASSWORD")
    if given is None:
        given = _ask("Passphrase of the profile: ")
    if not given:
        raise NoSecret("An empty passphrase protects nothing.")
    return Passphrase(given)


async def code() -> str:
    """The code of the second factor, once the server wants one; MESSENGER_CODE is taken first."""
    given = os.environ.get("MESSENGER_CODE")
    return given if given else await asyncio.to_thread(_ask, "Code of the second factor: ")


def question_asker() -> Callable[[str], bool]:
    """Asks a question at the terminal; yes is `y` or `yes`. NoSecret without a terminal."""

    def ask(question: str) -> bool:
        if not sys.stdin.isatty():
            raise NoSecret(
                "No terminal to ask at: say --yes where nobody is to be asked.", code="no_terminal"
            )
        return input(question).strip().lower() in ("y", "yes")

    return ask


def _given(path: Path | None, variable: str) -> str | None:
    if path is None:
        return os.environ.get(variable) or None
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise NoSecret(f"{path}: {error.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise NoSecret(f"{path} is too long for a password.")
    try:
        return raw.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise NoSecret(f"{path} is no UTF-8.") from None


def _ask(prompt: str) -> str:
    if not sys.stdin.isatty():
        raise NoSecret("No terminal to ask at: set MESSENGER_PASSWORD, or say --password-file FILE.")
    return getpass.getpass(prompt)
