"""`messenger-admin`: what an administrator does to the system, from a shell.

    messenger-admin [--config FILE] migrate    bring the schemas up to date
    messenger-admin [--config FILE] status     which version each schema is at

Settings come as for the services; `[database] admin_user` is who logs in. The exit status is 0 when all is
well, 78 for a wrong setting, 1 for anything else.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from messenger import __version__
from messenger.core.config import load
from messenger.core.database import versions
from messenger.core.lifecycle import StartError
from messenger.core.schemas import SCHEMAS, newest
from messenger.core.settings import Settings


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="messenger-admin", description="Look after a Secure Messenger.")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--config", metavar="FILE", help="the TOML file (or MESSENGER_CONFIG)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help="bring the database's schemas up to date")
    commands.add_parser("status", help="show which version each schema is at")
    chosen = parser.parse_args(arguments)
    run = {"migrate": _migrate, "status": _status}[chosen.command]
    try:
        sys.exit(run(load(chosen.config, os.environ)))
    except StartError as error:
        sys.stderr.write(f"messenger-admin: {error}\n")
        sys.exit(error.status)


def _migrate(settings: Settings) -> int:
    from messenger.core.migrate import migrate

    passwords = {schema: getattr(settings, schema).database_password for schema in SCHEMAS}
    done = migrate(settings.database, passwords)
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
