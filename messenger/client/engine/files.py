"""Files: encrypted while they are read and sent, decrypted while they come, chunk by chunk."""

import asyncio
import mimetypes
import os
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from messenger.client import events
from messenger.client.e2e import (
    FileDecryptor,
    FileEncryptor,
    FileMetadata,
    FileReference,
    seal_file_metadata,
    stored_size,
)
from messenger.client.e2e.errors import FileError, Malformed
from messenger.client.engine.naming import reason_of
from messenger.client.engine.vault import Store, Vault
from messenger.client.errors import ClientError, FileDamaged
from messenger.client.net.api import Api

READ = 1024 * 1024
Progress = Callable[[int, int], None]


class Files:
    """Uploads and downloads."""

    def __init__(self, vault: Vault, api: Api) -> None:
        self._vault = vault
        self._api = api

    async def send(
        self,
        conversation_id: str,
        path: Path,
        *,
        name: str | None,
        media_type: str | None,
        progress: Progress | None,
    ) -> FileReference:
        """Stream a file up; `progress` hears of bytes of the file, done and in all."""
        name = name or path.name
        media_type = media_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        with path.open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            encryptor = FileEncryptor()
            metadata = FileMetadata(name=name, media_type=media_type, size=size)
            sealed = seal_file_metadata(encryptor.key, metadata)
            blob = _encrypted(source, size, encryptor, progress)
            file = await self._api.upload(blob, stored_size(size), conversation_id, sealed)
        if file.sha256 != encryptor.sha256:
            raise FileDamaged("The server has stored another file than it was sent.")
        return encryptor.reference(file.file_id, name, media_type)

    async def fetch(
        self, reference: FileReference, path: Path, *, progress: Progress | None, overwrite: bool
    ) -> Path:
        """Stream a file down; it gets its place once it is whole. FileDamaged, FileExistsError."""
        if not overwrite and await asyncio.to_thread(path.exists):
            raise FileExistsError(f"{path} exists.")
        decryptor = FileDecryptor(reference)
        with NamedTemporaryFile(dir=path.parent, prefix=".messenger-", delete=False) as out:
            fresh = Path(out.name)
            try:
                await self._decrypted(reference, decryptor, out, progress)
                await asyncio.to_thread(_settle, out, fresh, path, overwrite)
            except (FileError, Malformed) as error:
                await self._vault.run(partial(_reject, reference=reference, error=error))
                raise FileDamaged(str(error)) from None
            finally:
                await asyncio.to_thread(fresh.unlink, missing_ok=True)
        return path

    async def _decrypted(
        self, reference: FileReference, decryptor: FileDecryptor, out: Any, progress: Progress | None
    ) -> None:
        done = 0
        async with self._api.download(reference.file_id) as parts:
            async for part in parts:
                plain = await asyncio.to_thread(decryptor.update, part)
                if plain:
                    await asyncio.to_thread(out.write, plain)
                    done += len(plain)
                    if progress is not None:
                        progress(done, reference.size)
        rest = decryptor.finish()
        out.write(rest)
        if progress is not None:
            progress(reference.size, reference.size)


async def _encrypted(
    source: Any, size: int, encryptor: FileEncryptor, progress: Progress | None
) -> AsyncIterator[bytes]:
    done = 0
    while done < size:
        plain = await asyncio.to_thread(source.read, min(READ, size - done))
        if not plain:
            raise ClientError("The file has become shorter while it was sent.", code="file_changed")
        if ready := await asyncio.to_thread(encryptor.update, plain):
            yield ready
        done += len(plain)
        if progress is not None:
            progress(done, size)
    for ready in encryptor.finish():
        yield ready


def _settle(out: Any, fresh: Path, path: Path, overwrite: bool) -> None:
    out.flush()
    os.fsync(out.fileno())
    if overwrite:
        fresh.replace(path)
    else:
        os.link(fresh, path)  # unlike a rename, this never replaces what has come meanwhile


def _reject(store: Store, reference: FileReference, error: FileError | Malformed) -> None:
    found = store.messages.file(reference.file_id)
    message = None if found is None else found[0]
    store.tell(
        events.FileRejected(
            file_id=reference.file_id,
            conversation_id=None if message is None else message.conversation_id,
            user_id=None if message is None else message.sender_id,
            username=None if message is None else message.sender,
            seq=None if message is None else message.seq,
            reason=reason_of(error),
            detail=str(error),
        )
    )


def safe_name(name: str, file_id: str) -> str:
    """A sender's file name as one that is safe here: no folders, nothing hidden, no control characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(letter for letter in last if letter.isprintable()).strip().lstrip(".")
    return kept.encode()[:200].decode(errors="ignore") or f"file-{file_id[:8]}"
