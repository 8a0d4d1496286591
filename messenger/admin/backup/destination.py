"""The data directory of `twist messenger` that a restore goes into: looked at first, made when all is
well."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from messenger.admin.backup.folder import Manifest
from messenger.admin.progress import sized
from messenger.core.config import load
from messenger.core.lifecycle import StartError
from messenger.core.settings import Settings


@dataclass(frozen=True, slots=True)
class Destination:
    """A directory that has been looked at. `secrets` is the text to put there before its engines begin, None
    where they are there or are to be new; `settings` are those that say which secrets hold."""

    data: Path
    secrets: bytes | None
    settings: Settings

    def make(self) -> None:
        """Give the directory its secrets, before its engines start for the first time."""
        if self.secrets is None:
            return
        path = self.data / "secrets.json"
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.data / "lock").touch(mode=0o600)
            path.touch(mode=0o600)
            path.write_bytes(self.secrets)
        except OSError as error:
            raise StartError(f"{error.filename} can't be used: {error.strerror}") from None


def look_at(
    data: Path, secrets: Path | None, config: str | None, environ: Mapping[str, str], manifest: Manifest
) -> Destination:
    """The destination of a restore into `data`, with the old server's `secrets` where they are given;
    StartError where it can't be one. Makes nothing."""
    from messenger.standalone.engines.credentials import read_secrets
    from messenger.standalone.engines.wheels import find_programs

    find_programs()
    given = None if secrets is None else _text(secrets)
    there = data / "secrets.json"
    new = not there.exists()
    if new:
        _look_at_new(data, manifest)
    elif given is not None and _text(there) != given:
        raise StartError(
            f"{there} is there already, and is not {secrets}: give the data a new directory; nothing was made"
        )
    text = given if new else _text(there)
    over: dict[str, dict[str, str]] = {}
    if text is not None:
        over = {
            "auth": {"signing_secret": read_secrets(text, secrets if new and secrets else there).token_secret}
        }
    return Destination(data, given if new else None, load(config, environ, over))


def _look_at_new(data: Path, manifest: Manifest) -> None:
    try:
        strange = [one.name for one in data.iterdir() if one.name != "lost+found"] if data.exists() else []
    except OSError as error:
        raise StartError(f"{data} can't be used: {error.strerror}; nothing was made") from None
    if strange:
        raise StartError(
            f"{data} holds something else ({min(strange)}): give the data a new directory; nothing was made"
        )
    parent = next(one for one in (data, *data.absolute().parents) if one.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise StartError(f"{data} can't be made: {parent} is not to be written to; nothing was made")
    needed = manifest.blob_bytes + sum(table.bytes for table in manifest.tables)
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise StartError(
            f"the backup takes {sized(needed)} and more, and {parent} has {sized(free)} left: give the data"
            " another directory; nothing was made"
        )


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"{path} can't be read: {error.strerror}; nothing was made") from None
