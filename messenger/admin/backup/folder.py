"""The layout of a backup's folder.

    README.txt                   what this is, for who finds it
    lock                         held while a backup is made or read (flock)
    sets/NAME/manifest.json      what the set has, with hashes; NAME is when it was made, in UTC
    sets/NAME/manifest.sha256    the manifest's own hash, as sha256sum writes it
    sets/NAME/TABLE.copy.gz      a table's rows, in the text format of PostgreSQL's COPY
    sets/NAME/blobs.gz           a line for each file: SHA-256, size, blob key, file id; sorted
    sets/NAME/gone.gz            file ids that were deleted while the backup was made
    blobs/AB/SHA256              a blob, named by its hash; all sets share them

A set that is being made is called `.NAME.partial`, and gets its name when all of it is on the disk; so what
is called by a name is whole, whenever the backup was interrupted. The folder is closed to others (mode 0700).
"""

import fcntl
import gzip
import hashlib
import heapq
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from messenger.core.lifecycle import StartError

FORMAT = 1
CHUNK = 1 << 20

README = """A backup of a Secure Messenger: database (sets/) and encrypted files (blobs/).

  messenger-admin restore DIR                  into empty engines; DIR is this folder
  messenger-admin restore --verify-only DIR    is it whole?

docs/operations.md, "Backup and restore", says the rest. Kept elsewhere: [auth] signing_secret and pepper, or
secrets.json of `twist messenger`. Who has this folder has password hashes, public keys, who talks to whom and
when, and all ciphertext: keep it encrypted.
"""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a set: how many rows or lines it has, and what it is as it lies there."""

    file: str
    rows: int
    bytes: int
    sha256: str


class Table(Written, frozen=True, kw_only=True):
    """A table's rows."""

    table: str
    columns: list[str]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a set. `schema` has the versions to migrate to before the tables are filled; `secrets`
    tells the right ones from others without telling what they are (see secrets.py); `lost` are the ids of
    files whose blob S3 had no more."""

    format: int
    made_at: str
    version: str
    postgresql: str
    schema: dict[str, str]
    secrets: dict[str, str]
    tables: list[Table]
    blobs: Written
    gone: Written
    blob_count: int
    blob_bytes: int
    lost: list[str]


class Blob(NamedTuple):
    """A line of `blobs.gz`; the hash in hex, the size in bytes."""

    sha256: str
    size: int
    blob_key: str
    file_id: str


class Hashed:
    """A file that is written and hashed as it grows."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._hash = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> int:
        """Add `data`."""
        self._hash.update(data)
        self.bytes += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> str:
        """Put it on the disk; its SHA-256 in hex."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._hash.hexdigest()


class Folder:
    """The backup's folder; made, where `make` says so, else it has to be one."""

    def __init__(self, path: Path, *, make: bool) -> None:
        self.path = path.absolute()
        self.sets = self.path / "sets"
        self.blobs = self.path / "blobs"
        if make:
            self._make()
        elif not self.sets.is_dir():
            raise StartError(f"{path} is no backup: it has no folder `sets`")

    def _make(self) -> None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.sets.exists() and any(one.name != "lost+found" for one in self.path.iterdir()):
                raise StartError(f"{self.path} holds something else: give the backup a folder of its own")
            self.path.chmod(0o700)
            for one in (self.sets, self.blobs):
                one.mkdir(mode=0o700, exist_ok=True)
            (self.path / "README.txt").write_text(README)
        except OSError as error:
            raise StartError(f"can't write to {self.path}: {error.strerror}") from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else works here meanwhile; StartError where somebody does."""
        with (self.path / "lock").open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StartError(f"another backup or restore works on {self.path}") from None
            yield

    # blobs

    def blob(self, sha256: str) -> Path:
        """Where a blob is, or goes."""
        return self.blobs / sha256[:2] / sha256

    def has_blob(self, blob: Blob) -> bool:
        """Whether it is there, by name and size."""
        try:
            return self.blob(blob.sha256).stat().st_size == blob.size
        except FileNotFoundError:
            return False

    # sets

    def names(self) -> list[str]:
        """The sets that are whole, the oldest first."""
        return sorted(one.name for one in self.sets.iterdir() if not one.name.startswith("."))

    def begin(self, name: str) -> Path:
        """A place for a new set; what an interrupted one has left goes."""
        for one in self.sets.glob(".*.partial"):
            shutil.rmtree(one)
        partial = self.sets / f".{name}.partial"
        partial.mkdir(mode=0o700)
        return partial

    def finish(self, partial: Path, name: str, manifest: Manifest) -> None:
        """Give the new set its name, once all of it is on the disk."""
        raw = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
        written = Hashed(partial / "manifest.json")
        written.write(raw)
        digest = Hashed(partial / "manifest.sha256")
        digest.write(f"{written.close()}  manifest.json\n".encode("ascii"))
        digest.close()
        sync_folder(partial)
        partial.rename(self.sets / name)
        sync_folder(self.sets)

    def manifest(self, name: str) -> Manifest:
        """A set's manifest; StartError where it is damaged or of another kind."""
        place = self.sets / name
        try:
            raw = (place / "manifest.json").read_bytes()
            wanted = (place / "manifest.sha256").read_text("ascii").partition(" ")[0]
        except (OSError, UnicodeDecodeError):
            raise StartError(f"{place} has no manifest that can be read") from None
        if hashlib.sha256(raw).hexdigest() != wanted:
            raise StartError(f"{place}/manifest.json is damaged: it has not the hash in manifest.sha256")
        try:
            found = msgspec.json.decode(raw, type=Manifest)
        except msgspec.MsgspecError as error:
            raise StartError(f"{place}/manifest.json is of another kind: {error}") from None
        if found.format != FORMAT:
            raise StartError(f"{place} is of format {found.format}, this version reads {FORMAT}")
        return found

    def listed(self, place: Path) -> Iterator[Blob]:
        """The blobs of the set in `place`, by rising hash."""
        with gzip.open(place / "blobs.gz", "rt", encoding="ascii") as lines:
            for line in lines:
                sha256, size, blob_key, file_id = line.split()
                yield Blob(sha256, int(size), blob_key, file_id)

    def gone(self, place: Path) -> Iterator[str]:
        """The ids of files that were deleted while the set in `place` was made."""
        with gzip.open(place / "gone.gz", "rt", encoding="ascii") as lines:
            for line in lines:
                yield line.strip()

    def prune(self, keep: int) -> tuple[int, int]:
        """Remove all sets but the newest `keep`, and the blobs that none of those has; how many of each."""
        names = self.names()
        for name in names[:-keep]:
            shutil.rmtree(self.sets / name)
        kept = heapq.merge(*(self._hashes(name) for name in names[-keep:]))
        wanted = next(kept, None)
        removed = 0
        for folder in sorted(one for one in self.blobs.iterdir() if one.is_dir()):
            for name in sorted(os.listdir(folder)):
                while wanted is not None and wanted < name:
                    wanted = next(kept, None)
                if wanted != name:
                    (folder / name).unlink()
                    removed += 1
        return len(names[:-keep]), removed

    def _hashes(self, name: str) -> Iterator[str]:
        return (blob.sha256 for blob in self.listed(self.sets / name))


def hash_of(path: Path) -> str:
    """A file's SHA-256 in hex; OSError where it can't be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(path: Path) -> None:
    """Have a folder's names on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Lines:
    """A gzip file of lines that is being written, for `Written`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hashed = Hashed(path)
        self._gzip = gzip.GzipFile("", "wb", 1, self._hashed, mtime=0)
        self.rows = 0
        self.raw = 0

    def write(self, data: bytes) -> int:
        """Add whole or broken lines; COPY's text has one line break for each row."""
        self.rows += data.count(b"\n")
        self.raw += len(data)
        return self._gzip.write(data)

    def close(self) -> Written:
        """Put it on the disk."""
        self._gzip.close()
        sha256 = self._hashed.close()
        return Written(file=self._path.name, rows=self.rows, bytes=self._hashed.bytes, sha256=sha256)
