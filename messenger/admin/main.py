"""`messenger-admin`: what an administrator does to the system, from a shell.

    messenger-admin [--config FILE] [--data DIR] COMMAND ...

    migrate, status      the schemas of the database
    backup, restore      database and files
    check                does what is stored agree with itself?
    doctor               are settings, engines and services as they have to be?
    keys, invites, users, devices, sessions, audit      accounts
    web                  the SHA-256 of the web client that this version serves

Settings come as for the services. For `twist messenger` say `--data DIR`, its data directory: its engines
are used if it runs, and else started for as long as the command takes. The commands on accounts log in as the
auth service does, and make new signing keys with its `signing_secret`; the others as `[database] admin_user`.
The exit status is 0 when all is well, 78 for a wrong setting, 2 for a wrong command line, 1 for all else.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from messenger import __version__
from messenger.admin import accounts, web
from messenger.admin.backup import commands as backups
from messenger.admin.check import commands as checks
from messenger.admin.doctor import commands as doctors
from messenger.core.config import load
from messenger.core.database.versions import versions
from messenger.core.lifecycle import StartError
from messenger.core.schemas import SCHEMAS, newest
from messenger.core.settings import Settings
from messenger.wire.errors import Problem


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    chosen = _parser().parse_args(arguments)
    try:
        sys.exit(_run(chosen))
    except StartError as error:
        sys.stderr.write(f"messenger-admin: {error}\n")
        sys.exit(error.status)
    except Problem as problem:
        sys.stderr.write(f"messenger-admin: {problem.detail}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("messenger-admin: interrupted\n")
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="messenger-admin", description="Look after a Secure Messenger.")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--config", metavar="FILE", help="the TOML file (or MESSENGER_CONFIG)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="the data directory of `twist messenger`")
    # Where a command sets `needs_settings` to False it is given None for them, and starts no engines.
    parser.set_defaults(needs_settings=True, command=None)
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")
    migrate = commands.add_parser("migrate", help="bring the database's schemas up to date")
    migrate.set_defaults(command=_migrate)
    commands.add_parser("status", help="show which version each schema is at").set_defaults(command=_status)
    backups.add_commands(commands)
    checks.add_command(commands)
    doctors.add_command(commands)
    accounts.add_commands(commands)
    web.add_command(commands)
    return parser


def _run(chosen: argparse.Namespace) -> int:
    """Do what was chosen; the exit status."""
    status: int
    if not chosen.needs_settings:
        status = chosen.command(None, chosen)
        return status
    if chosen.data is None:
        status = chosen.command(load(chosen.config, os.environ), chosen)
        return status
    from messenger.admin.embedded import embedded

    with embedded(chosen.data, chosen.config, os.environ, make=False) as settings:
        status = chosen.command(settings, chosen)
        return status


def _migrate(settings: Settings, _chosen: argparse.Namespace) -> int:
    from messenger.core.migrate import migrate

    passwords = {schema: getattr(settings, schema).database_password for schema in SCHEMAS}
    done = migrate(
        settings.database, passwords, tell=lambda line: sys.stderr.write(f"messenger-admin: {line}\n")
    )
    for line in done or ["everything is up to date"]:
        sys.stdout.write(f"{line}\n")
    return 0


def _status(settings: Settings, _chosen: argparse.Namespace) -> int:
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
