"""The blobs' part of a backup: those of the list that are not there yet, `WORKERS` at a time.

A blob goes under a name of its own until it is whole and has its hash. What S3 has no more is looked up in
the database: see the package's docstring.
"""

import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, BinaryIO

from messenger.admin.backup.folder import Blob, Folder, sync_folder
from messenger.admin.progress import Progress, sized
from messenger.admin.running import together
from messenger.core.blobs import Blobs
from messenger.core.lifecycle import StartError
from messenger.core.waits import pause
from messenger.wire.errors import Problem

WORKERS = 4
TRIES = 5
PAUSE_SECONDS = 2.0
MOST_LOST = 10_000


class Copying:
    """Copies the blobs of `listed`. `stands(file_id)` says whether the database has the file now."""

    def __init__(
        self,
        reactor: Any,
        blobs: Blobs,
        folder: Folder,
        listed: Iterator[Blob],
        stands: Callable[[str], bool],
        progress: Progress,
        count: int,
    ) -> None:
        self._reactor = reactor
        self._blobs = blobs
        self._folder = folder
        self._listed = listed
        self._stands = stands
        self._progress = progress
        self._count = count
        self._seen = 0
        self.copied = 0
        self.bytes = 0
        self.gone: list[str] = []  # file ids: deleted meanwhile
        self.lost: list[str] = []  # file ids: the blob is not there, or is not what it was

    async def run(self) -> None:
        """Return once all is there that can be had; StartError where S3 or the disk fails."""
        for number in range(256):
            (self._folder.blobs / f"{number:02x}").mkdir(mode=0o700, exist_ok=True)
        await together(self._work, WORKERS)

    async def _work(self) -> None:
        for blob in self._listed:
            self._seen += 1
            if not self._folder.has_blob(blob):
                await self._take(blob)
            self._progress.at(
                f"blobs: {self._seen:,} of {self._count:,}, {self.copied:,} copied, {sized(self.bytes)}"
            )

    async def _take(self, blob: Blob) -> None:
        """Copy a blob, or note why it can't be had."""
        for number in range(TRIES):
            if number:
                await pause(self._reactor, PAUSE_SECONDS)
            try:
                copied = await self._copy(blob)
            except Problem as problem:
                if number + 1 == TRIES:
                    detail = f"{problem.detail} What was copied stays: run the backup again"
                    raise StartError(detail) from None
                continue
            except OSError as error:
                raise StartError(f"can't write to {self._folder.path}: {error.strerror}") from None
            if copied:
                self.copied += 1
                self.bytes += blob.size
                return
            if not self._stands(blob.file_id):
                self.gone.append(blob.file_id)
                return
        self.lost.append(blob.file_id)
        if len(self.lost) > MOST_LOST:
            raise StartError(f"more than {MOST_LOST:,} blobs are not there: is this the right bucket?")

    async def _copy(self, blob: Blob) -> bool:
        """Whether it was there, and was what it has to be."""
        draft = self._folder.blob(blob.sha256).with_name(f".{blob.blob_key}")
        try:
            with draft.open("wb") as file:
                os.fchmod(file.fileno(), 0o600)
                good = await self._fetch(blob, file)
                os.fsync(file.fileno())
            if good:
                draft.rename(self._folder.blob(blob.sha256))
            return good
        finally:
            draft.unlink(missing_ok=True)

    async def _fetch(self, blob: Blob, file: BinaryIO) -> bool:
        found = sha256()
        try:
            if not blob.size:
                return await self._blobs.size(blob.blob_key) == 0
            chunks = await self._blobs.chunks(blob.blob_key, 0, blob.size)
            if chunks is None:
                return False
            async for chunk in chunks:
                found.update(chunk)
                file.write(chunk)
        except Problem:
            if await self._blobs.size(blob.blob_key) == blob.size:
                raise
            return False  # it is there and is not what it was
        file.flush()
        return found.hexdigest() == blob.sha256

    def settle(self) -> None:
        """Have all names on the disk."""
        for one in self._folder.blobs.iterdir():
            if one.is_dir():
                sync_folder(one)
