"""Makes the engines' passwords on first start, and finds them again on every later one.

They lie in one file, `secrets.json` in the data directory, which nobody but its owner can read. Whoever has
that file has everything on this server that isn't end-to-end encrypted; a backup of the data is of no use
without it, and a start on old data without it is refused rather than answered with new passwords.
"""

import base64
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from messenger.core.lifecycle import StartError

RUNTIME_ROLES = ("auth", "key", "message", "file")
"""The services that log in to PostgreSQL, each with a role of its own."""


@dataclass(frozen=True)
class EngineSecrets:
    """Every password there is. Its `repr` shows none, so that no log can.

    All are random, of 192 bits or more, and of characters that need no quoting in a URL or a file.
    `token_secret` is base64 of 32 random bytes, for whoever needs a key of their own (the tokens' signer); so
    is `vapid_key` (what signs wake-ups).
    """

    postgres_password: str = field(repr=False)
    database_passwords: Mapping[str, str] = field(repr=False)
    nats_user: str
    nats_password: str = field(repr=False)
    valkey_password: str = field(repr=False)
    s3_access_key: str
    s3_secret_key: str = field(repr=False)
    seaweedfs_key: str = field(repr=False)
    token_secret: str = field(repr=False)
    vapid_key: str = field(repr=False)


def load_or_make(path: Path, has_data: bool) -> EngineSecrets:
    """The secrets in `path`; new ones are written there if there is no such file.

    `has_data` says that there is data already which only the old ones open.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if has_data:
            raise StartError(
                f"{path} is missing, and without it the data beside it can't be opened:"
                " restore it from your backup, or start on another directory"
            ) from None
        made = _make()
        write_private(path, _text(made))
        return made
    found, complete = _read(text, path)
    if not complete:
        write_private(path, _text(found))
    return found


def read_secrets(raw: bytes, path: Path) -> EngineSecrets:
    """The secrets that `raw`, the content of `path`, holds; StartError where it is damaged."""
    try:
        return _read(raw.decode("utf-8"), path)[0]
    except UnicodeDecodeError:
        raise StartError(f"{path} is damaged: restore it from your backup") from None


def _read(text: str, path: Path) -> tuple[EngineSecrets, bool]:
    """The secrets, and whether all of them were there: some came later than the first servers."""
    try:
        known = json.loads(text)
        lacking = {name: make() for name, make in _LATER.items() if name not in known}
        known |= lacking
        return EngineSecrets(
            **{entry.name: known[entry.name] for entry in fields(EngineSecrets)}
        ), not lacking
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StartError(f"{path} is damaged: restore it from your backup") from None


def _make() -> EngineSecrets:
    return EngineSecrets(
        postgres_password=secrets.token_urlsafe(24),
        database_passwords={role: secrets.token_urlsafe(24) for role in RUNTIME_ROLES},
        nats_user="messenger",
        nats_password=secrets.token_urlsafe(24),
        valkey_password=secrets.token_urlsafe(24),
        s3_access_key=secrets.token_hex(10).upper(),
        s3_secret_key=secrets.token_urlsafe(30),
        seaweedfs_key=secrets.token_urlsafe(32),
        token_secret=_key(),
        vapid_key=_key(),
    )


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode("ascii")


_LATER: Mapping[str, Callable[[], str]] = {"vapid_key": _key}


def _text(found: EngineSecrets) -> str:
    return json.dumps(asdict(found), indent=2) + "\n"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read (mode 0600): whole or not at all, and on disk on return."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
