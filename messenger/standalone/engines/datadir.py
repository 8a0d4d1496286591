"""Says what lies where in the data directory, and lets one server at a time work on it.

    lock             held while a server runs (flock), with its process id inside
    secrets.json     every password
    ports.json       the ports of last time
    run/server.json  which server runs here, and where it listens
    run/NAME.pid     which process the engine NAME is
    log/NAME.log     what it has to say
    postgres/ nats/ valkey/ seaweedfs/      the engines' data

The directory is closed to everyone else (mode 0700), and all of it is the owner's of the directory, but for
the engines' data, which is the account's that they run as.
"""

import fcntl
import os
from pathlib import Path

from messenger.core.lifecycle import StartError
from messenger.standalone.engines.account import Account, give
from messenger.standalone.engines.process import Traces

ENGINES = ("postgres", "nats", "valkey", "seaweedfs")


class DataDirectory:
    """The data directory `path`, made by `open`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    def open(self) -> None:
        """Make it if need be, and lock it; StartError if another server has it, OSError if it can't be had.

        A directory that holds something else isn't taken: `--data /tmp` must not close /tmp to everyone.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self.path / "lock").exists():
            strange = [entry.name for entry in self.path.iterdir() if entry.name != "lost+found"]
            if strange:
                raise StartError(
                    f"{self.path} holds something else ({min(strange)}): give the data a directory of its own"
                )
        self.path.chmod(0o700)
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise StartError(f"{self.path} is in use by process {holder or '(unknown)'}") from None
        self._lock = descriptor
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        for name in ("log", "run"):
            (self.path / name).mkdir(mode=0o700, exist_ok=True)
        self.server.unlink(missing_ok=True)  # of one that was killed

    def close(self) -> None:
        """Let another server have it."""
        if self._lock is not None:
            self.server.unlink(missing_ok=True)
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    @property
    def secrets(self) -> Path:
        return self.path / "secrets.json"

    @property
    def ports(self) -> Path:
        return self.path / "ports.json"

    @property
    def server(self) -> Path:
        return self.path / "run" / "server.json"

    def home(self, name: str) -> Path:
        """The directory of an engine's data."""
        return self.path / name

    def traces(self, name: str) -> Traces:
        return Traces(self.path / "log" / f"{name}.log", self.path / "run" / f"{name}.pid")

    def has_data(self) -> bool:
        """Whether there is data that only the secrets open."""
        return (self.home("postgres") / "PG_VERSION").exists()

    def make_home(self, name: str, account: Account | None) -> Path:
        """The directory of an engine's data, made if need be and the account's own."""
        home = self.home(name)
        home.mkdir(mode=0o700, exist_ok=True)
        give(home, account)
        return home

    def settle(self) -> None:
        """Give what the superuser has made here to the owner of the directory, who may be another user."""
        status = self.path.stat()
        if os.geteuid() == 0 and status.st_uid != 0:
            for place in (self.path, self.path / "log", self.path / "run"):
                for entry in (place, *(file for file in place.iterdir() if file.is_file())):
                    os.chown(entry, status.st_uid, status.st_gid)
