"""The command lines of `backup` and `restore`."""

import argparse
from pathlib import Path
from typing import Any

from messenger.admin.progress import Progress
from messenger.core.lifecycle import StartError
from messenger.core.settings import Settings


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
        help="the bucket has blobs, from a restore that broke off",
    )
    restore.add_argument(
        "--other-secrets",
        action="store_true",
        help="restore though signing_secret or pepper are not the backup's",
    )
    restore.add_argument(
        "--without-damaged", action="store_true", help="leave out files whose blob is damaged in the backup"
    )
    restore.add_argument(
        "--secrets",
        type=Path,
        metavar="FILE",
        help="with --data, for a new DIR: the old server's secrets.json",
    )
    restore.set_defaults(command=_restore, prepare=_prepare, makes_data=True, needs_settings=_needs_settings)


def _backup(settings: Settings, chosen: argparse.Namespace) -> int:
    from messenger.admin.backup.taking import back_up

    try:
        return 0 if back_up(settings, chosen.folder, chosen.keep, Progress()) else 1
    except OSError as error:
        raise StartError(
            f"can't write to {chosen.folder}: {error.strerror or error}; the last whole backup is as it was"
        ) from None


def _restore(settings: Settings | None, chosen: argparse.Namespace) -> int:
    from messenger.admin.backup.restoring import restore, verify_only

    if settings is None:
        verify_only(chosen.folder, chosen.set, Progress())
        return 0
    try:
        restore(
            settings,
            chosen.folder,
            chosen.set,
            Progress(),
            going_on=chosen.going_on,
            other_secrets=chosen.other_secrets,
            without_damaged=chosen.without_damaged,
        )
    except OSError as error:
        raise StartError(f"{chosen.folder} can't be read: {error.strerror or error}") from None
    return 0


def _needs_settings(chosen: argparse.Namespace) -> bool:
    return not chosen.verify_only


def _prepare(chosen: argparse.Namespace) -> None:
    """Give a new data directory the old server's secrets, before its engines start for the first time."""
    if chosen.secrets is None:
        return
    if chosen.data is None:
        raise StartError("--secrets goes with --data; else the secrets are in the configuration")
    place = chosen.data / "secrets.json"
    if place.exists():
        raise StartError(f"{place} is there already: --secrets is for a DIR that is not there yet")
    try:
        text = chosen.secrets.read_bytes()
        chosen.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        strange = [one.name for one in chosen.data.iterdir() if one.name != "lost+found"]
        if strange:
            raise StartError(
                f"{chosen.data} holds something else ({min(strange)}): give the data a new directory"
            )
        (chosen.data / "lock").touch(mode=0o600)
        place.touch(mode=0o600)
        place.write_bytes(text)
    except OSError as error:
        raise StartError(f"{error.filename} can't be used: {error.strerror}") from None


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 10000")
    return int(text)
