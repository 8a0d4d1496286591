"""A backup, in order: the database out of one snapshot, the blobs that it names, the manifest, old sets."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from messenger import __version__
from messenger.admin.backup.copying import Copying
from messenger.admin.backup.dump import Dumped, dump
from messenger.admin.backup.folder import FORMAT, Folder, Lines, Manifest
from messenger.admin.backup.secrets import marks
from messenger.admin.progress import Progress, sized
from messenger.admin.running import note, run_reactor
from messenger.core.administrator import Administrator
from messenger.core.blobs import Blobs
from messenger.core.settings import Settings
from messenger.core.threads import Threads

_STANDS = "select true from file.files where file_id = %s and state = 'stored'"


def back_up(settings: Settings, path: Path, keep: int, progress: Progress) -> bool:
    """Make a backup in the folder `path` and keep the newest `keep` there; whether nothing was lost."""
    folder = Folder(path, make=True)
    with folder.locked(), Administrator(settings.database) as database:
        began = datetime.now(UTC)
        name = _name(folder, began)
        place = folder.begin(name)
        dumped = dump(database, place, progress)
        copying = run_reactor(
            lambda reactor: _copy(reactor, settings, folder, place, database, dumped, progress)
        )
        gone = Lines(place / "gone.gz")
        for file_id in copying.gone:
            gone.write(f"{file_id}\n".encode("ascii"))
        manifest = Manifest(
            format=FORMAT,
            made_at=began.strftime("%Y-%m-%dT%H:%M:%SZ"),
            version=__version__,
            postgresql=dumped.postgresql,
            schema=dumped.schema,
            secrets=marks(settings),
            tables=dumped.tables,
            blobs=dumped.blobs,
            gone=gone.close(),
            blob_count=dumped.count,
            blob_bytes=dumped.size,
            lost=copying.lost,
        )
        folder.finish(place, name, manifest)
        note(database, "backup", name)
        sets, blobs = folder.prune(keep)
    _report(folder, name, manifest, copying, progress)
    if sets:
        progress.done(f"removed: {sets} older sets, {blobs:,} blobs that only they had")
    return not copying.lost


def _name(folder: Folder, began: datetime) -> str:
    """When it was made, in UTC; never the name of another set."""
    name = base = began.strftime("%Y%m%dT%H%M%SZ")
    number = 1
    while (folder.sets / name).exists():
        number += 1
        name = f"{base}-{number}"
    return name


async def _copy(
    reactor: Any,
    settings: Settings,
    folder: Folder,
    place: Path,
    database: Administrator,
    dumped: Dumped,
    progress: Progress,
) -> Copying:
    def stands(file_id: str) -> bool:
        return bool(database.value(_STANDS, (file_id,)))

    threads = Threads(reactor, "s3", 1, 8)
    blobs = Blobs(reactor, settings.s3, threads)
    copying = Copying(reactor, blobs, folder, folder.listed(place), stands, progress, dumped.count)
    await threads.start()
    try:
        await blobs.start()
        await copying.run()
    finally:
        await blobs.stop()
        await threads.stop()
    copying.settle()
    return copying


def _report(folder: Folder, name: str, manifest: Manifest, copying: Copying, progress: Progress) -> None:
    progress.done(
        f"blobs: {manifest.blob_count:,} of {sized(manifest.blob_bytes)} in all,"
        f" {copying.copied:,} of {sized(copying.bytes)} copied now"
    )
    if copying.gone:
        progress.done(f"{len(copying.gone):,} files were deleted meanwhile and are left out")
    for file_id in copying.lost[:20]:
        progress.wrong(f"the blob of file {file_id} is lost or damaged: see `messenger-admin check`")
    if len(copying.lost) > 20:
        progress.wrong(f"... and {len(copying.lost) - 20:,} more; the manifest has all of them")
    if "signing_secret" not in manifest.secrets:
        progress.wrong(
            "[auth] signing_secret is not known here: a restore can't tell whether it has the right one"
        )
    progress.done(f"backup {name} is whole, in {folder.path}")
    if copying.lost:
        progress.wrong(f"backup {name} is whole but for {len(copying.lost):,} blobs that were lost before")
