"""The end of files, in PostgreSQL: rows that go, and blobs that have to follow them.

How statements lock is said in files.py.
"""

from typing import Any

from messenger.core.database.pool import Database
from messenger.files.model import Bounds, Removal


class RemovalStore:
    """Each call is one transaction."""

    def __init__(self, database: Database, bounds: Bounds) -> None:
        self._database = database
        self._bounds = bounds

    async def drop(self, file_id: str) -> Removal | None:
        """Delete the row, give the quota back and note the blob for removal; None where there is no row."""
        return await self._drop("%(file_id)s", file_id=file_id)

    async def drop_abandoned(self) -> Removal | None:
        """`drop` an upload that nobody works on; None where there is none."""
        return await self._drop(
            """
            select file_id from file.files
            where state = 'uploading' and touched_at < now() - make_interval(secs => %(abandoned)s)
            order by touched_at limit 1 for update skip locked
            """
        )

    async def drop_expired(self) -> Removal | None:
        """`drop` a file that has expired; None where there is none."""
        return await self._drop(
            """
            select file_id from file.files where state = 'stored' and expires_at <= now()
            order by expires_at limit 1 for update skip locked
            """
        )

    async def drop_ownerless(self) -> Removal | None:
        """`drop` a file whose uploader's account was deleted; None where there is none."""
        return await self._drop(
            """
            select f.file_id from auth.deleted_users d
            join file.usage u on u.user_id = d.user_id and u.files > 0
            join file.files f on f.uploader_id = d.user_id
            limit 1 for update of f skip locked
            """
        )

    async def _drop(self, which: str, **parameters: Any) -> Removal | None:
        """Drop the file whose id the SQL `which` gives."""
        # The blob of a broken-off upload may still be on its way, so it is removed once more later.
        rows = await self._database.write(
            f"""
            with gone as (
                delete from file.files where file_id = ({which})
                returning blob_key, upload_id, uploader_id, size, state = 'stored' as final
            ), given_back as (
                update file.usage u set bytes = u.bytes - gone.size, files = u.files - 1
                from gone where u.user_id = gone.uploader_id
            ), noted as (
                insert into file.removals (blob_key, upload_id, due_at)
                select blob_key, upload_id,
                    now() + case when final then interval '1 minute'
                        else make_interval(secs => %(abandoned)s) end
                from gone
            )
            select blob_key, upload_id, final from gone
            """,  # noqa: S608 - made of constants
            {"abandoned": self._bounds.abandoned, **parameters},
        )
        return Removal(*rows[0]) if rows else None

    async def let_go(self, limit: int) -> None:
        """Take files out of conversations in which nobody is left, looking at up to `limit` of those not
        looked at for long."""
        await self._database.write(
            """
            with aged as (
                select file_id from file.shares where checked_at < now() - interval '1 hour'
                order by checked_at limit %(limit)s
            ), locked as (
                select f.file_id from file.files f where f.file_id in (select file_id from aged)
                for update skip locked
            ), kept as (
                update file.shares s set checked_at = now() from locked
                where s.file_id = locked.file_id and exists (
                    select from message.memberships m where m.conversation_id = s.conversation_id
                )
            ), ended as (
                delete from file.shares s using locked
                where s.file_id = locked.file_id and not exists (
                    select from message.memberships m where m.conversation_id = s.conversation_id
                )
                returning s.file_id
            ), fewer as (
                select file_id, count(*) as ended from ended group by file_id
            )
            update file.files f
            set conversations = f.conversations - fewer.ended,
                expires_at = case
                    when f.conversations > fewer.ended then f.expires_at
                    else least(f.expires_at, now() + make_interval(secs => %(unshared)s))
                end
            from fewer where f.file_id = fewer.file_id
            """,
            {"limit": limit, "unshared": self._bounds.unshared},
        )

    async def due(self, limit: int) -> list[Removal]:
        """Up to `limit` blobs that have to go; they are not due again for a while."""
        # Whoever takes a removal has half a minute for it before others try, which would do no harm.
        rows = await self._database.write(
            """
            update file.removals r set due_at = now() + interval '30 seconds'
            from (
                select blob_key from file.removals where due_at <= now()
                order by due_at limit %s for update skip locked
            ) d
            where r.blob_key = d.blob_key
            returning r.blob_key, r.upload_id
            """,
            (limit,),
        )
        return [Removal(blob_key, upload_id, True) for blob_key, upload_id in rows]

    async def cleared(self, blob_key: str) -> None:
        """This blob is gone for good."""
        await self._database.write("delete from file.removals where blob_key = %s", (blob_key,))
