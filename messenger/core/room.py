"""Room on the disks that engines keep their data on: who has none left is said in words, and once a minute.

An engine on a full disk refuses what needs room and goes on reading; so do we. What needed room is answered
503 with Retry-After (`DiskFull`), `/ready` says "disk full" beside the engine's name, the metric
`messenger_disk_full` is 1, and the log has one line a minute. Nobody else says when there is room again, so
the engine's client tries now and then, until it is.

Where the engines' data is on this machine (`twist messenger`) their last bytes are left to them: PostgreSQL
that can't write its log stops, and with it all reads. So below `FLOOR` nothing new is stored.
"""

import os
from collections.abc import Callable
from pathlib import Path

from twisted.logger import Logger

from messenger.wire.errors import Code, Problem

FLOOR = 64 << 20  # bytes: four files of PostgreSQL's log
SAY_SECONDS = 60.0
TRY_SECONDS = 5.0
RETRY_AFTER = 30
LOOK_SECONDS = 1.0
DISK = "disk full"
NO_SPACE = "No space left on device"  # strerror(ENOSPC), which engines quote

DETAILS: set[str] = set()
"""Sentences of full disks' problems in this process: the log tells who else meets them once a minute."""

log = Logger()


class DiskFull(Problem):
    """The request needs room on a disk that has none. `state` is what `/ready` says of it."""

    def __init__(self, detail: str, state: str) -> None:
        self.state = state
        DETAILS.add(detail)
        super().__init__(Code.unavailable, detail, retry_after=RETRY_AFTER)


class Floor:
    """Whether the file system at `path` has less than `least` bytes left; asked once a second at most."""

    def __init__(self, clock: Callable[[], float], path: Path, least: int = FLOOR) -> None:
        self.path = path
        self._clock = clock
        self._least = least
        self._looked = float("-inf")
        self._reached = False

    @property
    def reached(self) -> bool:
        """Whether nothing new should be stored there."""
        now = self._clock()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._reached = free_bytes(self.path) < self._least
        return self._reached


def free_bytes(path: Path) -> int:
    """How many bytes who is no superuser can still store in the file system at `path`."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


class Room:
    """Whether the disk of `what` has room. `clock` gives seconds and never goes back.

    `sure` of a loss is False where an engine refuses to store and does not say why.
    """

    def __init__(self, clock: Callable[[], float], what: str, floor: Floor | None = None) -> None:
        self.what = what
        self.full = False
        self._clock = clock
        self._floor = floor
        self._sure = True
        self._said = float("-inf")
        self._tried = float("-inf")

    def check(self) -> None:
        """Return where something may be stored; DiskFull where no more than the last bytes are left."""
        if self._floor is not None and self._floor.reached:
            raise self.lost(f"less than {FLOOR >> 20} MiB are left at {self._floor.path}")

    def lost(self, reason: str, *, sure: bool = True) -> DiskFull:
        """The engine had no room: note it, and give what to raise."""
        if not sure and self._floor is not None:
            sure = self._floor.reached
        now = self._clock()
        if not self.full:
            self._tried = now
        self.full = True
        self._sure = sure
        if now - self._said >= SAY_SECONDS:
            self._said = now
            log.error(
                "disk full: {what} has no room: {reason}"
                if sure
                else "disk full? {what} stores nothing: {reason}",
                event="disk_full",
                what=self.what,
                reason=reason,
            )
        return self.problem()

    def problem(self) -> DiskFull:
        """The Problem to raise while there is no room."""
        if self._sure:
            detail = f"The disk of {self.what} is full: nothing is lost, and nothing new can be stored."
            return DiskFull(detail, DISK)
        return DiskFull(f"{self.what} can't store anything at the moment.", f"{DISK}, or it fails otherwise")

    def found(self) -> None:
        """Something that needs room was stored."""
        if self.full:
            self.full = False
            self._said = float("-inf")
            log.info("the disk of {what} has room again", event="disk_room", what=self.what)

    @property
    def due(self) -> bool:
        """Whether it is time to try, for whoever does then."""
        now = self._clock()
        if not self.full or now - self._tried < TRY_SECONDS:
            return False
        self._tried = now
        return True
