"""Files in PostgreSQL. The statements are in sql.py."""

from typing import Any

from messenger.core.database import Database, Row
from messenger.files import sql
from messenger.files.model import Bounds, Draft, Found, Removal, Reserved, Shared


class FileStore:
    """The Store of the files' rules."""

    def __init__(self, database: Database, bounds: Bounds, most_conversations: int) -> None:
        self._database = database
        self._quota = bounds.quota
        self._files = bounds.files
        self._unshared = bounds.unshared
        self._abandoned = bounds.abandoned
        self._ahead = bounds.ahead
        self._most = most_conversations

    async def begin(self, draft: Draft) -> Reserved:
        rows = await self._database.write(
            sql.BEGIN,
            {
                "file_id": draft.file_id,
                "blob_key": draft.blob_key,
                "uploader_id": draft.uploader_id,
                "reserved": draft.reserved,
                "metadata": draft.metadata,
                "conversation_id": draft.conversation_id,
                "quota": self._quota,
                "files": self._files,
                "unshared": self._unshared,
                "received": None if draft.upload_metadata is None else 0,
                "upload_metadata": draft.upload_metadata,
                "ahead": 0 if draft.upload_metadata is None else self._ahead,
            },
        )
        allowed, room, blocked = rows[0]
        if blocked:
            return Reserved.blocked
        return Reserved.done if room else Reserved.over_quota if allowed else Reserved.no_conversation

    async def grow(self, file_id: str, more: int) -> Reserved:
        rows = await self._database.write(sql.GROW, {"file_id": file_id, "more": more, "quota": self._quota})
        found, room = rows[0]
        return Reserved.done if room else Reserved.over_quota if found else Reserved.gone

    async def touch(self, file_id: str) -> bool:
        return bool(await self._database.write(sql.TOUCH, (file_id,)))

    async def note_parts(self, file_id: str, upload_id: str) -> None:
        await self._database.write(sql.NOTE_PARTS, (upload_id, file_id))

    async def finish(self, file_id: str, size: int, sha256: bytes) -> Found | Reserved:
        parameters = {"file_id": file_id, "size": size, "sha256": sha256}
        rows = await self._database.write(sql.FINISH, parameters)
        if not rows:
            return Reserved.gone
        blocked, *found = rows[0]
        return Reserved.blocked if blocked else Found(*found)

    async def find(self, file_id: str, user_id: str) -> Found | None:
        return _found(await self._database.read(sql.FIND, {"file_id": file_id, "user_id": user_id}))

    async def share(self, file_id: str, user_id: str, conversation_id: str) -> Shared:
        rows = await self._database.write(
            sql.SHARE,
            {
                "file_id": file_id,
                "user_id": user_id,
                "conversation_id": conversation_id,
                "most": self._most,
            },
        )
        found, conversation, full, blocked = rows[0]
        if not found:
            return Shared.no_file
        if not conversation:
            return Shared.no_conversation
        if blocked:
            return Shared.blocked
        return Shared.too_many if full else Shared.done

    async def drop(self, file_id: str) -> Removal | None:
        return await self._drop(sql.DROP_ONE, file_id=file_id)

    async def drop_abandoned(self) -> Removal | None:
        return await self._drop(sql.DROP_ABANDONED)

    async def drop_expired(self) -> Removal | None:
        return await self._drop(sql.DROP_EXPIRED)

    async def drop_ownerless(self) -> Removal | None:
        return await self._drop(sql.DROP_OWNERLESS)

    async def _drop(self, statement: str, **parameters: Any) -> Removal | None:
        rows = await self._database.write(statement, {"abandoned": self._abandoned, **parameters})
        return Removal(*rows[0]) if rows else None

    async def let_go(self, limit: int) -> None:
        await self._database.write(sql.LET_GO, {"limit": limit, "unshared": self._unshared})

    async def due(self, limit: int) -> list[Removal]:
        rows = await self._database.write(sql.DUE, (limit,))
        return [Removal(blob_key, upload_id, True) for blob_key, upload_id in rows]

    async def cleared(self, blob_key: str) -> None:
        await self._database.write(sql.CLEARED, (blob_key,))


def _found(rows: list[Row]) -> Found | None:
    return Found(*rows[0]) if rows else None
