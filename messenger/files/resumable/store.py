"""Resumable uploads in PostgreSQL. The statements are in sql.py."""

from collections.abc import Sequence
from datetime import datetime

from messenger.core.database import Database
from messenger.files.model import Bounds, Draft, Removal, Reserved
from messenger.files.resumable import sql
from messenger.files.resumable.model import Piece, Upload
from messenger.files.store import FileStore


class UploadStore:
    """The ResumableStore of the rules. What uploads have in common with all files is `files`'."""

    def __init__(self, database: Database, files: FileStore, bounds: Bounds) -> None:
        self._database = database
        self._files = files
        self._abandoned = bounds.abandoned
        self._ahead = bounds.ahead

    async def begin(self, draft: Draft) -> Reserved:
        return await self._files.begin(draft)

    async def upload(self, file_id: str, user_id: str) -> Upload | None:
        rows = await self._database.read(
            sql.FIND, {"file_id": file_id, "user_id": user_id, "abandoned": self._abandoned}
        )
        return Upload(*rows[0]) if rows else None

    async def note(self, blob_key: str) -> datetime:
        rows = await self._database.write(sql.NOTE, (blob_key, self._abandoned))
        due: datetime = rows[0][0]
        return due

    async def renew(self, notes: dict[str, datetime]) -> dict[str, datetime]:
        rows = await self._database.write(
            sql.RENEW, {"abandoned": self._abandoned, "keys": list(notes), "dues": list(notes.values())}
        )
        return dict(rows)

    async def advance(
        self, file_id: str, offset: int, pieces: Sequence[Piece], notes: dict[str, datetime]
    ) -> bool:
        keys = [piece.blob_key for piece in pieces]
        parameters = {
            "file_id": file_id,
            "offset": offset,
            "more": sum(piece.size for piece in pieces),
            "keys": keys,
            "dues": [notes[key] for key in keys],
            "starts": [piece.start for piece in pieces],
            "sizes": [piece.size for piece in pieces],
            "ahead": self._ahead,
        }
        return bool(await self._database.write(sql.ADVANCE, parameters))

    async def pieces(self, file_id: str) -> list[Piece]:
        return [Piece(*row) for row in await self._database.read(sql.SEGMENTS, (file_id,))]

    async def complete(
        self, file_id: str, offset: int, blob_key: str, noted: datetime, sha256: bytes
    ) -> Reserved:
        parameters = {
            "file_id": file_id,
            "offset": offset,
            "blob_key": blob_key,
            "sha256": sha256,
            "keys": [blob_key],
            "dues": [noted],
        }
        stored, blocked = (await self._database.write(sql.FINISH, parameters))[0]
        return Reserved.done if stored else Reserved.blocked if blocked else Reserved.gone

    async def drop(self, file_id: str) -> Removal | None:
        return await self._files.drop(file_id)

    async def let_go(self, notes: dict[str, datetime]) -> None:
        await self._database.write(sql.LET_GO, {"keys": list(notes), "dues": list(notes.values())})
