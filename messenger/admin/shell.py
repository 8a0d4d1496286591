"""The shared part of `messenger-admin`'s commands: their parsers, and how they say what they have to say.

Each says in a line what it did, or lists things in columns, with times in UTC.
"""

import argparse
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from messenger.admin.running import Tell, run
from messenger.auth.store.administration import AdminStore, KnownUser
from messenger.core.lifecycle import StartError
from messenger.core.settings import Settings
from messenger.wire.codec import uuid_text

Command = Callable[[AdminStore, Tell, argparse.Namespace, Settings], Awaitable[None]]


def group(commands: Any, name: str, what: str) -> Any:
    """Add the command `name`, which has actions, to argparse's sub-parsers; gives those of its actions."""
    parser = commands.add_parser(name, help=what, description=f"Look after {what}.")
    return parser.add_subparsers(dest="action", required=True, metavar="ACTION")


def add(actions: Any, name: str, command: Command, what: str) -> argparse.ArgumentParser:
    """Add an action that acts on accounts, as the auth service does; `what` it does in some words."""
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=what, description=what[:1].upper() + what[1:] + "."
    )
    parser.set_defaults(command=_run_command, command_on_accounts=command)
    return parser


def _run_command(settings: Settings, chosen: argparse.Namespace) -> int:
    command: Command = chosen.command_on_accounts
    run(settings, lambda store, tell: command(store, tell, chosen, settings))
    return 0


def on_user(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Have it take a user."""
    parser.add_argument("user", metavar="USER", help="a name or an id")
    return parser


def limited(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Have it take how many rows it shows, 1 to 10,000."""
    parser.add_argument("--limit", type=bounded(int, 1, 10_000), default=100, metavar="N")
    return parser


def bounded(kind: type[int] | type[float], least: float, most: float) -> Callable[[str], float]:
    """A reader of numbers from `least` to `most`, for argparse."""

    def read(given: str) -> float:
        try:
            value = kind(given)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{given!r} is no number") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{given} is not from {least:g} to {most:g}")
        return value

    return read


async def user_of(store: AdminStore, given: str) -> KnownUser:
    """The user of this name or id, deleted or not; StartError where there is none."""
    user_id = uuid_text(given)
    found = await store.user_named(given.lower()) if user_id is None else await store.user(user_id)
    if found is None:
        raise StartError(f"there is no user {given!r}")
    return found


def text(value: object) -> str:
    """A value as it stands in a line or a column."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, bool):
        return "yes" if value else "no"
    # What users named themselves is no business of the terminal's.
    return "-" if value is None else "".join(one if one.isprintable() else "?" for one in str(value))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows in columns, under their heads."""
    lines = [list(heads), *([text(value) for value in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        say("  ".join(value.ljust(width) for value, width in zip(line, widths, strict=True)).rstrip())


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
