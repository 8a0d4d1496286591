"""The arguments of `messenger`, with help that teaches."""

import argparse
import os
from pathlib import Path

from messenger import __version__
from messenger.client.cli import account, changing, contacts, devices, files, groups, talking

DESCRIPTION = """\
Talk end-to-end encrypted. The server sees no text, no file and no group's name.

  messenger register ann             make an account; this device is its first
  messenger send bob "Hello!"        write to bob (a conversation is opened if there is none)
  messenger listen                   read what comes, as it comes
  messenger verify bob               compare safety numbers, so that nobody stands between you
  messenger chat                     all of it, full screen
"""

EPILOG = """\
secrets: the password is asked for, read from --password-file, or taken from MESSENGER_PASSWORD; never an
argument, which other users of the machine can read. It also opens the profile, unless there is a passphrase
of its own (--passphrase-file, MESSENGER_PASSPHRASE) or --keyring.

exit status: 0 done, 1 refused, 2 wrong command line, 3 no profile or wrong passphrase, 4 server unreachable,
5 not safe (an identity has changed, a file was tampered with, the password is asked for), 130 interrupted.
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    made = argparse.ArgumentParser(
        prog="messenger",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # `--password SECRET` is not to pass for --password-file
    )
    made.add_argument("--version", action="version", version=__version__)
    made.add_argument(
        "--server",
        metavar="URL",
        default=os.environ.get("MESSENGER_SERVER", "http://127.0.0.1:8080"),
        help="for register and login (or MESSENGER_SERVER); default: %(default)s",
    )
    made.add_argument(
        "--profile",
        metavar="DIR",
        type=Path,
        default=default_profile(),
        help="keys and messages, encrypted (or MESSENGER_PROFILE); one for each account and device",
    )
    made.add_argument("--json", action="store_true", help="print JSON, an object a line")
    made.add_argument("--password-file", metavar="FILE", type=Path, help="read the password from there")
    made.add_argument("--passphrase-file", metavar="FILE", type=Path, help="what opens the profile, if apart")
    made.add_argument("--keyring", action="store_true", help="keep the profile's key in the system's keyring")
    made.add_argument(
        "--refuse-changes",
        action="store_true",
        help="send nothing to someone whose identity has changed, until `verify --accept`",
    )
    commands = made.add_subparsers(metavar="COMMAND", required=True)
    for part in (account, changing, contacts, devices, talking, groups, files):
        part.add_commands(commands)
    _add_chat(commands)
    return made


def default_profile() -> Path:
    """MESSENGER_PROFILE, or a folder where the system keeps users' data."""
    named = os.environ.get("MESSENGER_PROFILE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "secure-messenger" / "profile"


def _add_chat(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    async def chat(chosen: argparse.Namespace, output: object) -> int:
        from messenger.client.chat.app import run  # a screenful of imports, for this command alone

        return await run(chosen)

    made = commands.add_parser("chat", help="a full screen: conversations, messages, ticks, typing")
    made.add_argument("name", nargs="?", metavar="NAME-OR-GROUP", help="begin there")
    made.set_defaults(command=chat)
