"""Files in PostgreSQL, from their first byte to what is known of them.

Each statement is a transaction and says by its locks who waits for whom. Locks are taken in one order, a
file's row and then its uploader's usage, and a statement holds one of each at most (in removal.py one holds
many files, but waits for none and takes no usage): no two can wait for each other. Who is in which
conversation is read from the message service's views at the moment of asking; whose account is gone, from
auth's.
"""

from messenger.core.database.pool import Database
from messenger.files.model import Bounds, Draft, Found, Reserved, Shared

# Whether an upload's conversation is barred by a block: one may have been set while the bytes came.
BLOCKED = """exists (
    select from file.shares s
    join message.blocked_conversations b on b.conversation_id = s.conversation_id
    where s.file_id = f.file_id
) as blocked"""


class FileStore:
    """Rows of files and uploads. Each call is one transaction."""

    def __init__(self, database: Database, bounds: Bounds, most_conversations: int) -> None:
        self._database = database
        self._bounds = bounds
        self._most = most_conversations

    async def begin(self, draft: Draft) -> Reserved:
        """Make the row and reserve its bytes, where the uploader is a member of the conversation, if any."""
        # A conversation's messages live for message_ttl seconds, or for ever where that is null.
        rows = await self._database.write(
            """
            with conversation as (
                select t.message_ttl, exists (
                    select from message.blocked_conversations b where b.conversation_id = t.conversation_id
                ) as blocked
                from message.memberships m
                join message.conversation_ttls t on t.conversation_id = m.conversation_id
                where m.conversation_id = %(conversation_id)s and m.user_id = %(uploader_id)s
            ), allowed as (
                select 1 as one where %(conversation_id)s::uuid is null
                    or exists (select from conversation where not blocked)
            ), room as (
                insert into file.usage as u (user_id, bytes, files)
                select %(uploader_id)s, %(reserved)s, 1 from allowed where %(reserved)s <= %(quota)s
                on conflict (user_id) do update set bytes = u.bytes + excluded.bytes, files = u.files + 1
                    where u.bytes + excluded.bytes <= %(quota)s and u.files < %(files)s
                returning 1
            ), made as (
                insert into file.files
                    (file_id, uploader_id, state, blob_key, size, metadata, conversations, expires_at,
                    received, upload_metadata, touched_at)
                select %(file_id)s, %(uploader_id)s, 'uploading', %(blob_key)s, %(reserved)s, %(metadata)s,
                    (%(conversation_id)s::uuid is not null)::integer,
                    now() + case when %(conversation_id)s::uuid is null
                        then make_interval(secs => %(unshared)s)
                        else make_interval(secs => (select message_ttl from conversation)) end,
                    %(received)s, %(upload_metadata)s, now() + make_interval(secs => %(ahead)s)
                from room
                returning file_id
            ), shared as (
                insert into file.shares (file_id, conversation_id)
                select file_id, %(conversation_id)s from made where %(conversation_id)s::uuid is not null
            )
            select exists (select from allowed), exists (select from room),
                exists (select from conversation where blocked)
            """,
            {
                "file_id": draft.file_id,
                "blob_key": draft.blob_key,
                "uploader_id": draft.uploader_id,
                "reserved": draft.reserved,
                "metadata": draft.metadata,
                "conversation_id": draft.conversation_id,
                "quota": self._bounds.quota,
                "files": self._bounds.files,
                "unshared": self._bounds.unshared,
                "received": None if draft.upload_metadata is None else 0,
                "upload_metadata": draft.upload_metadata,
                "ahead": 0 if draft.upload_metadata is None else self._bounds.ahead,
            },
        )
        allowed, room, blocked = rows[0]
        if blocked:
            return Reserved.blocked
        return Reserved.done if room else Reserved.over_quota if allowed else Reserved.no_conversation

    async def grow(self, file_id: str, more: int) -> Reserved:
        """Reserve `more` bytes for an upload."""
        rows = await self._database.write(
            """
            with upload as (
                select file_id, uploader_id from file.files
                where file_id = %(file_id)s and state = 'uploading' for update
            ), room as (
                update file.usage u set bytes = u.bytes + %(more)s from upload
                where u.user_id = upload.uploader_id and u.bytes + %(more)s <= %(quota)s
                returning 1
            ), grown as (
                update file.files f set size = f.size + %(more)s, touched_at = now() from upload, room
                where f.file_id = upload.file_id
            )
            select exists (select from upload), exists (select from room)
            """,
            {"file_id": file_id, "more": more, "quota": self._bounds.quota},
        )
        found, room = rows[0]
        return Reserved.done if room else Reserved.over_quota if found else Reserved.gone

    async def touch(self, file_id: str) -> bool:
        """Somebody works on this upload; False where its row is gone."""
        rows = await self._database.write(
            "update file.files set touched_at = now() where file_id = %s and state = 'uploading' returning 1",
            (file_id,),
        )
        return bool(rows)

    async def note_parts(self, file_id: str, upload_id: str) -> None:
        """The blob goes up as this multipart upload."""
        await self._database.write(
            "update file.files set upload_id = %s, touched_at = now() where file_id = %s",
            (upload_id, file_id),
        )

    async def finish(self, file_id: str, size: int, sha256: bytes) -> Found | Reserved:
        """Make an upload a file, as its uploader sees it; `gone` or `blocked` where there will be none."""
        rows = await self._database.write(
            f"""
            with upload as (
                select f.file_id, f.uploader_id, f.size, {BLOCKED} from file.files f
                where f.file_id = %(file_id)s and f.state = 'uploading' for update of f
            ), good as (
                select * from upload where not blocked
            ), corrected as (
                update file.usage u set bytes = u.bytes + %(size)s - good.size from good
                where u.user_id = good.uploader_id and good.size <> %(size)s
            ), stored as (
                update file.files f
                set state = 'stored', size = %(size)s, sha256 = %(sha256)s, upload_id = null,
                    touched_at = now()
                from good where f.file_id = good.file_id
                returning f.*
            )
            select upload.blocked, f.file_id, f.blob_key, f.size, f.sha256, f.metadata,
                array(select s.conversation_id from file.shares s where s.file_id = f.file_id),
                f.created_at, f.expires_at, true, f.conversations > 0, f.conversations > 0
            from upload left join stored f on true
            """,  # noqa: S608 - made of constants
            {"file_id": file_id, "size": size, "sha256": sha256},
        )
        if not rows:
            return Reserved.gone
        blocked, *found = rows[0]
        return Reserved.blocked if blocked else Found(*found)

    async def find(self, file_id: str, user_id: str) -> Found | None:
        """The stored, unexpired file of this id."""
        rows = await self._database.read(
            """
            select f.file_id, f.blob_key, f.size, f.sha256, f.metadata,
                array(
                    select s.conversation_id from file.shares s
                    where s.file_id = f.file_id and (
                        f.uploader_id = %(user_id)s or exists (
                            select from message.memberships m
                            where m.conversation_id = s.conversation_id and m.user_id = %(user_id)s
                        )
                    )
                    order by s.conversation_id
                ),
                f.created_at, f.expires_at,
                f.uploader_id = %(user_id)s,
                exists (
                    select from file.shares s
                    join message.memberships m
                        on m.conversation_id = s.conversation_id and m.user_id = %(user_id)s
                    where s.file_id = f.file_id
                ),
                exists (
                    select from file.shares s
                    join message.memberships m on m.conversation_id = s.conversation_id
                    where s.file_id = f.file_id
                )
            from file.files f
            where f.file_id = %(file_id)s and f.state = 'stored'
                and (f.expires_at is null or f.expires_at > now())
                and not exists (select from auth.deleted_users d where d.user_id = f.uploader_id)
            """,
            {"file_id": file_id, "user_id": user_id},
        )
        return Found(*rows[0]) if rows else None

    async def share(self, file_id: str, user_id: str, conversation_id: str) -> Shared:
        """Put this user's file into a conversation that the user is in; again is fine."""
        # The lock comes first, so that `conversations` and `expires_at` are the latest there are.
        rows = await self._database.write(
            """
            with found as (
                select file_id, conversations, expires_at from file.files
                where file_id = %(file_id)s and uploader_id = %(user_id)s and state = 'stored'
                    and (expires_at is null or expires_at > now())
                for update
            ), conversation as (
                select now() + make_interval(secs => t.message_ttl) as expires_at, exists (
                    select from message.blocked_conversations b where b.conversation_id = t.conversation_id
                ) as blocked
                from message.memberships m
                join message.conversation_ttls t on t.conversation_id = m.conversation_id
                where m.conversation_id = %(conversation_id)s and m.user_id = %(user_id)s
            ), shared as (
                insert into file.shares (file_id, conversation_id)
                select found.file_id, %(conversation_id)s from found, conversation
                where found.conversations < %(most)s and not conversation.blocked
                on conflict do nothing
                returning 1
            ), counted as (
                update file.files f
                set conversations = f.conversations + 1,
                    expires_at = case
                        when found.conversations = 0 then conversation.expires_at
                        when found.expires_at is null or conversation.expires_at is null then null
                        else greatest(found.expires_at, conversation.expires_at)
                    end
                from found, conversation, shared where f.file_id = found.file_id
            )
            select exists (select from found), exists (select from conversation),
                exists (select from found where conversations >= %(most)s) and not exists (
                    select from file.shares
                    where file_id = %(file_id)s and conversation_id = %(conversation_id)s
                ), exists (select from conversation where blocked)
            """,
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
