"""A restore, in order: is the backup whole, are the engines empty, then the blobs, and the database last.

Until the blobs begin nothing is touched. The database is filled in one transaction after all blobs are
there, so that whatever breaks off leaves a server without users rather than users without files; `--continue`
goes on where a bucket has blobs already.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from messenger.admin.backup.checking import choose, verify
from messenger.admin.backup.folder import Blob, Folder
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


def verify_only(path: Path, name: str | None, progress: Progress) -> None:
    """Say whether the set of this name, or the newest, is whole; StartError where not."""
    folder = Folder(path, make=False)
    with folder.locked():
        verify(folder, choose(folder, name), progress)


def restore(
    settings: Settings,
    path: Path,
    name: str | None,
    progress: Progress,
    *,
    going_on: bool = False,
    other_secrets: bool = False,
    without_damaged: bool = False,
) -> None:
    """Restore the set of this name, or the newest, into empty engines; StartError where that can't be."""
    folder = Folder(path, make=False)
    with folder.locked():
        chosen = choose(folder, name)
        manifest, without = verify(folder, chosen, progress, without_damaged=without_damaged)
        wrong = others(manifest.secrets, settings)
        if wrong and not other_secrets:
            raise StartError(
                f"[auth] {wrong[0]} is not the one that the backup's server had: passwords or second factors"
                " would not work. Set the right one, or say --other-secrets; nothing was touched"
            )
        with Administrator(settings.database) as database:
            check_empty(database)
            listed = (blob for blob in folder.listed(folder.sets / chosen) if blob.file_id not in without)
            run_reactor(lambda reactor: _upload(reactor, settings, folder, listed, going_on, progress))
            load(settings, database, folder, chosen, manifest, without, progress)
    _report(chosen, manifest.made_at, without, progress)


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
                f"the bucket {settings.s3.bucket} is not empty. After a restore that broke off say"
                " --continue; else give an empty one; nothing was touched"
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
