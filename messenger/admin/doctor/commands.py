"""The command line of `doctor`."""

import argparse
from typing import Any

from messenger.core.settings import Settings


def add_command(commands: Any) -> None:
    """Add the parser to argparse's sub-parsers."""
    parser = commands.add_parser(
        "doctor",
        help="is everything as it has to be?",
        description="Try settings, engines and services, and say in words what is wrong and what to do. Ends"
        " with 1 if something is wrong; warnings alone end with 0.",
    )
    parser.add_argument(
        "--before-start", action="store_true", help="leave the services out: they are not started yet"
    )
    parser.set_defaults(command=_command)


def _command(settings: Settings, chosen: argparse.Namespace) -> int:
    from messenger.admin.doctor.running import doctor

    return 1 if doctor(settings, chosen.data, services=not chosen.before_start) else 0
