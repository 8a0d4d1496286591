"""`messenger-admin web`: which web client this version serves, to compare it with what a browser got."""

import argparse
import sys
from typing import Any

from messenger import __version__
from messenger.core.lifecycle import StartError


def add_command(commands: Any) -> None:
    """Add its parser."""
    parser = commands.add_parser("web", help="show the SHA-256 of the web client that this version serves")
    parser.add_argument("--files", action="store_true", help="and that of each of its files")
    parser.set_defaults(command=_web, needs_settings=False)


def _web(_settings: None, chosen: argparse.Namespace) -> int:
    from messenger.web.assets import Damaged, load

    try:
        bundle = load()
    except Damaged as error:
        raise StartError(str(error)) from None
    sys.stdout.write(f"{bundle.sha256}  the web client of version {__version__}\n")
    if chosen.files:
        for asset in bundle.assets:
            sys.stdout.write(f"{asset.sha256}  {asset.path}\n")
    return 0
