"""`messenger-admin`: what an administrator does to the system, from a shell.

    messenger-admin [--config FILE] migrate    bring the schemas up to date
    messenger-admin [--config FILE] status     which version each schema is at
    messenger-admin [--config FILE] keys ...   and invites, users, devices, sessions, audit: see --help

Settings come as for the services. `[database] admin_user` is who logs in for the first two; the others log in
as the auth service does, and make new signing keys with its `signing_secret`. The exit status is 0 when all
is well, 78 for a wrong setting, 2 for a wrong command line, 1 for anything else.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from messenger import __version__
from messenger.admin.accounts import add_commands, run_command
from messenger.core.config import load
from messenger.core.database import versions
from messenger.core.lifecycle import StartError
from messenger.core.schemas import SCHEMAS, newest
from messenger.core.settings import Settings
from messenger.wire.errors import Problem


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="messenger-admin", description="Look after a Secure Messenger.")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--config", metavar="FILE", help="the TOML file (or MESSENGER_CONFIG)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help="bring the database's schemas up to date")
    commands.add_parser("status", help="show which version each schema is at")
    add_commands(commands)
    chosen = parser.parse_args(arguments)
    try:
        settings = load(chosen.config, os.environ)
        if "command_on_accounts" in chosen:
            sys.exit(run_command(settings, chosen))
        sys.exit({"migrate": _migrate, "status": _status}[chosen.command](settings))
    except StartError as error:
        sys.stderr.write(f"messenger-admin: {error}\n")
        sys.exit(error.status)
    except Problem as problem:
        sys.stderr.write(f"messenger-admin: {problem.detail}\n")
        sys.exit(1)


def _migrate(settings: Settings) -> int:
    from messenger.core.migrate import migrate

    passwords = {schema: getattr(settings, schema).database_password for schema in SCHEMAS}
    done = migrate(
        settings.database, passwords, tell=lambda line: sys.stderr.write(f"messenger-admin: {line}\n")
    )
    for line in done or ["everything is up to date"]:
        sys.stdout.write(f"{line}\n")
    return 0


def _status(settings: Settings) -> int:
    found = versions(settings.database, list(SCHEMAS))
    behind = False
    for schema, version in found.items():
        wanted = newest(schema)
        state = "up to date" if version is not None and version >= wanted else f"behind: {wanted} is wanted"
        behind |= version is None or version < wanted
        sys.stdout.write(f"{schema:8} {version or 'not there':10} {state}\n")
    return 1 if behind else 0


if __name__ == "__main__":
    main()
