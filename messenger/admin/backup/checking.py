"""Is a backup whole? Every hash in its manifest, and every blob's, before a restore touches anything."""

import hashlib
from pathlib import Path

from messenger.admin.backup.folder import Blob, Folder, Manifest, Written, hash_of
from messenger.admin.progress import Progress, sized
from messenger.core.lifecycle import StartError
from messenger.core.schemas import SCHEMAS, newest

SHOWN = 20


def choose(folder: Folder, name: str | None) -> str:
    """The set of this name, or the newest one; StartError where there is none."""
    names = folder.names()
    if not names:
        raise StartError(f"{folder.path} holds no backup that is whole")
    if name is not None and name not in names:
        raise StartError(f"{folder.path} holds no set {name}: there are {', '.join(names)}")
    return names[-1] if name is None else name


def verify(
    folder: Folder, name: str, progress: Progress, *, without_damaged: bool = False
) -> tuple[Manifest, set[str]]:
    """The set's manifest and the ids of files to leave out, once all that the set names is there and has its
    hash; StartError where not. With `without_damaged` files with damaged blobs are left out too."""
    manifest = folder.manifest(name)
    for schema, version in manifest.schema.items():
        if schema not in SCHEMAS or version > newest(schema):
            raise StartError(
                f"the backup was made by version {manifest.version}, with schema {schema} at {version}:"
                " use that version, or a newer one"
            )
    place = folder.sets / name
    for written in (*manifest.tables, manifest.blobs, manifest.gone):
        _verify_file(place, written)
        progress.at(f"{written.file} is whole")
    without = {*folder.gone(place), *manifest.lost}
    damaged = seen = size = 0
    for blob in folder.listed(place):
        seen += 1
        size += blob.size
        progress.at(f"blobs: {seen:,} of {manifest.blob_count:,} read again, {sized(size)}")
        if blob.file_id in without:
            continue
        why = _damage(folder, blob)
        if why:
            damaged += 1
            without.add(blob.file_id)
            if damaged <= SHOWN:
                progress.done(f"{folder.blob(blob.sha256)} {why}")
    if damaged and not without_damaged:
        raise StartError(
            f"{damaged:,} blobs of the backup are damaged. If the server still lives remove those files and"
            " back up again; else see whether an older set is whole (--set); the last resort is"
            " --without-damaged, which restores all but the files that had them"
        )
    progress.done(
        f"set {name} is whole: {len(manifest.tables)} tables, {seen:,} blobs of {sized(size)}"
        if not damaged
        else f"set {name} is whole but for {damaged:,} blobs"
    )
    return manifest, without


def _verify_file(place: Path, written: Written) -> None:
    try:
        found = hash_of(place / written.file)
    except OSError as error:
        raise StartError(f"{place / written.file} can't be read: {error.strerror}") from None
    if found != written.sha256:
        raise StartError(f"{place / written.file} is damaged: it has not the hash in the manifest")


def _damage(folder: Folder, blob: Blob) -> str:
    """Say what is wrong with a blob's file; empty where nothing is."""
    try:
        with folder.blob(blob.sha256).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"can't be read: {error.strerror}"
    return "" if found == blob.sha256 else "is damaged"
