"""The command line of `check`."""

import argparse
from typing import Any

from messenger.core.settings import Settings


def add_command(commands: Any) -> None:
    """Add the parser to argparse's sub-parsers."""
    parser = commands.add_parser(
        "check",
        help="does what is stored agree with itself?",
        description="Look through all that is stored, while the system runs, for what does not agree. Ends"
        " with 0 if nothing is wrong, or all was mended, else with 1.",
    )
    parser.add_argument(
        "--repair", action="store_true", help="mend what is safe to mend, and say what was done"
    )
    parser.set_defaults(command=_command)


def _command(settings: Settings, chosen: argparse.Namespace) -> int:
    from messenger.admin.check.running import check

    return 1 if check(settings, repair=chosen.repair) else 0
