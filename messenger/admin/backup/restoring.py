"""A restore, in order: is the backup whole, are the engines empty, then the blobs, and the database last.

First is all that needs no engine (the backup, the secrets, for a data directory the place), before engines of
our own are made; until the blobs begin nothing is touched. The database is filled in one transaction after
all blobs are there, so that whatever breaks off leaves a server without users rather than users without
files; `--continue` goes on where a bucket has blobs already.
"""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from messenger.admin.backup.checking import choose, verify
from messenger.admin.backup.folder import Blob, Folder, Manifest
from messenger.admin.backup.load import check_empty, load
from messenger.admin.backup.secrets import others
from messenger.admin.progress import Progress, sized
from messenger.admin.running import run_reactor, together
from messenger.core.administrator import Administrator
from messenger.core.blobs import Blobs
from messenger.core.lifecycle import StartError
from messenger.core.settings import Settings
from messenger.core.streams import Pieces
from messenger.core.threads import Threads
from messenger.core.waits import pause
from messenger.wire.errors import Problem

WORKERS = 4
TRIES = 5
PAUSE_SECONDS = 2.0
PIECE = 256 << 10


class Restoring:
    """A restore of a set in the folder `path`; StartError, from any method, where it can't be.

    `going_on` lets the bucket have blobs already, `other_secrets` lets secrets be others than the backup's
    server had, `without_damaged` leaves out files whose blob is damaged.
    """

    def __init__(
        self,
        path: Path,
        progress: Progress,
        *,
        going_on: bool = False,
        other_secrets: bool = False,
        without_damaged: bool = False,
    ) -> None:
        self._folder = Folder(path, make=False)
        self._progress = progress
        self._going_on = going_on
        self._other_secrets = other_secrets
        self._without_damaged = without_damaged
        self._name = ""
        self._manifest: Manifest | None = None
        self._without: set[str] = set()

    def locked(self) -> AbstractContextManager[None]:
        """Nobody else works on the backup meanwhile."""
        return self._folder.locked()

    @property
    def manifest(self) -> Manifest:
        """The set's manifest; after `verify`."""
        assert self._manifest is not None
        return self._manifest

    def verify(self, name: str | None) -> None:
        """Is the set of this name, or the newest, whole?"""
        self._name = choose(self._folder, name)
        self._manifest, self._without = verify(
            self._folder, self._name, self._progress, without_damaged=self._without_damaged
        )

    def check_secrets(self, settings: Settings, data: Path | None) -> None:
        """Are these the backup's server's secrets? `data` is the data directory that is restored into, if
        any."""
        wrong = others(self.manifest.secrets, settings)
        if not wrong or self._other_secrets:
            return
        lost = "second factors" if wrong[0] == "signing_secret" else "passwords"
        how = (
            "Give --secrets FILE, the old server's secrets.json, and a new DIR"
            if data is not None and wrong[0] == "signing_secret"
            else f"Set the right one, in the configuration or by MESSENGER_AUTH__{wrong[0].upper()}__FILE"
        )
        raise StartError(
            f"[auth] {wrong[0]} is not the one that the backup's server had, and {lost} would not work."
            f" {how}; nothing was made. If it is lost for good see `restore --help`"
        )

    def restore(self, settings: Settings) -> None:
        """Restore the set, which is verified, into the engines of `settings`, once they are found empty."""
        folder, progress = self._folder, self._progress
        with Administrator(settings.database) as database:
            check_empty(database)
            listed = (
                blob for blob in folder.listed(folder.sets / self._name) if blob.file_id not in self._without
            )
            run_reactor(lambda reactor: _upload(reactor, settings, folder, listed, self._going_on, progress))
            load(settings, database, folder, self._name, self.manifest, self._without, progress)
        _report(self._name, self.manifest.made_at, self._without, progress)


async def _upload(
    reactor: Any,
    settings: Settings,
    folder: Folder,
    listed: Iterator[Blob],
    going_on: bool,
    progress: Progress,
) -> None:
    threads = Threads(reactor, "s3", 1, 8)
    blobs = Blobs(reactor, settings.s3, threads)
    await threads.start()
    try:
        await blobs.start()
        if not going_on and await blobs.listed(""):
            raise StartError(
                f"the bucket {settings.s3.bucket} is not empty: give an empty one; nothing was touched. Only"
                " if a restore of this backup into it broke off say --continue"
            )
        uploading = _Uploading(reactor, blobs, folder, listed, progress)
        await together(uploading.work, WORKERS)
        progress.done(f"blobs: {uploading.count:,} of {sized(uploading.size)}")
    finally:
        await blobs.stop()
        await threads.stop()


class _Uploading:
    """Puts the blobs of `listed` where they were."""

    def __init__(
        self, reactor: Any, blobs: Blobs, folder: Folder, listed: Iterator[Blob], progress: Progress
    ) -> None:
        self._reactor = reactor
        self._blobs = blobs
        self._folder = folder
        self._listed = listed
        self._progress = progress
        self.count = 0
        self.size = 0

    async def work(self) -> None:
        for blob in self._listed:
            await self._put(blob)
            self.count += 1
            self.size += blob.size
            self._progress.at(f"blobs: {self.count:,} restored, {sized(self.size)}")

    async def _put(self, blob: Blob) -> None:
        for number in range(TRIES):
            if number:
                await pause(self._reactor, PAUSE_SECONDS)
            try:
                chunks = Pieces(_pieces(self._folder.blob(blob.sha256)))
                await self._blobs.put(blob.blob_key, chunks, blob.size, _no_parts)
                return
            except Problem as problem:
                failed = problem.detail
            except OSError as error:
                raise StartError(f"a blob of the backup can't be read: {error.strerror}") from None
        raise StartError(f"{failed} The database was not touched: go on with --continue")


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


async def _no_parts(_upload_id: str) -> None:
    """A blob of known size has no parts."""


def _report(name: str, made_at: str, without: Collection[str], progress: Progress) -> None:
    progress.done(f"restored: {name}, the state of {made_at}; what came later is not there")
    if without:
        progress.done(f"{len(without):,} files are left out: they were deleted, lost or damaged")
    progress.done(
        "all sessions have ended and one-time prekeys are gone: users log in again, as the devices that they"
        " are, and devices publish new prekeys when they connect"
    )
    progress.done("start the services now; `messenger-admin doctor` says whether all is well")
