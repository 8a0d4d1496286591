"""The command lines of `backup` and `restore`."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from messenger.admin.progress import Progress
from messenger.core.config import load
from messenger.core.lifecycle import StartError
from messenger.core.settings import Settings

if TYPE_CHECKING:
    from messenger.admin.backup.restoring import Restoring


def add_commands(commands: Any) -> None:
    """Add the parsers to argparse's sub-parsers; each sets `command`."""
    backup = commands.add_parser(
        "backup",
        help="back up database and files",
        description="Back up database and files into DIR, while the system runs. Files that are there from an"
        " earlier backup are not copied again.",
    )
    backup.add_argument(
        "folder", type=Path, metavar="DIR", help="a folder of its own, made where it is missing"
    )
    backup.add_argument(
        "--keep",
        type=_count,
        default=7,
        metavar="N",
        help="how many backups stay in DIR, this one included (default: %(default)d)",
    )
    backup.add_argument(
        "--quiet",
        action="store_true",
        help="say only what is wrong: for cron and timers, which send what is said",
    )
    backup.set_defaults(command=_backup)
    restore = commands.add_parser(
        "restore",
        help="restore a backup into empty engines",
        description="Restore the newest backup in DIR into empty engines, once all of it was verified.",
    )
    restore.add_argument("folder", type=Path, metavar="DIR", help="where the backup is")
    restore.add_argument("--set", metavar="NAME", help="not the newest but this one (see DIR/sets)")
    restore.add_argument(
        "--verify-only", action="store_true", help="say whether it is whole, and that is all"
    )
    restore.add_argument(
        "--continue",
        action="store_true",
        dest="going_on",
        help="go on with a restore of this backup that broke off: the bucket has some of its blobs",
    )
    restore.add_argument(
        "--secrets",
        type=Path,
        metavar="FILE",
        help="with --data, for a new DIR: the old server's secrets.json",
    )
    restore.add_argument(
        "--without-damaged", action="store_true", help="leave out files whose blob is damaged in the backup"
    )
    restore.add_argument(
        "--other-secrets",
        action="store_true",
        help="only if the old server's signing_secret or pepper is lost for good: without the signing_secret"
        " no second factor can be opened, without the pepper no password is right, for anybody, ever",
    )
    restore.set_defaults(command=_restore, needs_settings=False)


def _backup(settings: Settings, chosen: argparse.Namespace) -> int:
    from messenger.admin.backup.making import back_up

    try:
        return 0 if back_up(settings, chosen.folder, chosen.keep, Progress(quiet=chosen.quiet)) else 1
    except OSError as error:
        raise StartError(
            f"can't write to {chosen.folder}: {error.strerror or error}; the last whole backup is as it was"
        ) from None


def _restore(_settings: None, chosen: argparse.Namespace) -> int:
    """All that can be known is looked at before anything is made; then the engines are, where they are
    ours."""
    from messenger.admin.backup.restoring import Restoring

    if chosen.secrets is not None and chosen.data is None:
        raise StartError("--secrets goes with --data; else the secrets are in the configuration")
    restoring = Restoring(
        chosen.folder,
        Progress(),
        going_on=chosen.going_on,
        other_secrets=chosen.other_secrets,
        without_damaged=chosen.without_damaged,
    )
    try:
        with restoring.locked():
            restoring.verify(chosen.set)
            if chosen.verify_only:
                return 0
            if chosen.data is None:
                settings = load(chosen.config, os.environ)
                restoring.check_secrets(settings, None)
                restoring.restore(settings)
            else:
                _restore_data(restoring, chosen)
    except OSError as error:
        raise StartError(
            f"{error.filename or chosen.folder} can't be read: {error.strerror or error}"
        ) from None
    return 0


def _restore_data(restoring: "Restoring", chosen: argparse.Namespace) -> None:
    from messenger.admin.backup.destination import look_at
    from messenger.admin.embedded import embedded

    destination = look_at(chosen.data, chosen.secrets, chosen.config, os.environ, restoring.manifest)
    restoring.check_secrets(destination.settings, chosen.data)
    destination.make()
    with embedded(chosen.data, chosen.config, os.environ, make=True) as settings:
        restoring.restore(settings)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 10000")
    return int(text)
