"""Says as whom the engines run.

An ordinary user's engines are that user's. The superuser's are not: PostgreSQL refuses, and nothing that
listens should be able to do everything. They run as, in this order,

- whoever owns the database that is already there, so that an upgrade of the system changes nothing;
- the owner of the data directory, where that isn't the superuser: `sudo` in one's own folder;
- `messenger`, the user which a package or an administrator may have made for this;
- `nobody`.

The superuser's data directory stays closed to them (mode 0700): `launch` enters an engine's own directory
before it drops its privileges, and the engines call it `HERE`.
"""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from messenger.core.lifecycle import StartError

CANDIDATES = ("messenger", "nobody")

HERE = "/proc/self/cwd"
"""An engine's own directory, as the engine can name it even where the way to it leads through closed ones."""


@dataclass(frozen=True)
class Account:
    """A user of the system which isn't the superuser."""

    name: str
    uid: int
    gid: int


def account_for(data: Path, database: Path) -> Account | None:
    """As whom the engines with their files in `data` run; None: as this process does.

    `database` is PostgreSQL's directory, which may not exist yet.
    """
    if os.geteuid() != 0:
        return None
    for path in (database, data):
        if path.exists() and (owner := path.stat().st_uid) != 0:
            return _account(owner)
    for name in CANDIDATES:
        try:
            return _account(pwd.getpwnam(name).pw_uid)
        except KeyError:
            continue
    raise StartError(
        "PostgreSQL does not run as root, and there is no user 'messenger' or 'nobody':"
        " make one (useradd --system messenger), or start as an ordinary user"
    )


def _account(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise StartError(
            f"the data belongs to user {uid}, whom this system doesn't know: PostgreSQL needs a name for it"
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def give(path: Path, account: Account | None) -> None:
    """Make `path` the account's own."""
    if account is not None:
        os.chown(path, account.uid, account.gid)


def closed_to(account: Account | None, path: Path) -> Path | None:
    """Name what keeps the account from reading `path`: the first directory on the way that shuts it out or is
    it.

    None if nothing does. Judged by owner, group and mode; access control lists are not looked at, and who is
    let in only by one is taken to be shut out.
    """
    if account is None:
        return None
    for place in reversed(path.parents):
        if not _allows(place, account, stat.S_IXOTH):
            return place
    return None if _allows(path, account, stat.S_IROTH) else path


def _allows(place: Path, account: Account, bit: int) -> bool:
    status = place.stat()
    if status.st_uid == account.uid:
        bit <<= 6
    elif status.st_gid == account.gid:
        bit <<= 3
    return bool(status.st_mode & bit)
