"""One writer: an advisory lock on a file of the profile, which the kernel lets go when its process ends."""

import fcntl
import os
from pathlib import Path

from messenger.client.errors import ProfileLocked

LOCK_FILE = "lock"


class Lock:
    """The right to open a profile. Taken by the constructor; ProfileLocked where another has it."""

    def __init__(self, profile: Path) -> None:
        # O_CLOEXEC (Python's default) keeps children from holding it.
        self._descriptor = os.open(profile / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._descriptor, 32).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise ProfileLocked(
                f"Another process{f' ({holder})' if holder else ''} has the profile {profile} open."
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let others in."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
