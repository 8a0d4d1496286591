"""Resumable uploads in PostgreSQL. Each statement is a transaction; how they lock is said in store/files.py.

A blob is noted for removal before S3 gets its first byte, and the note is taken back by the statement that
makes the blob part of an upload. A note is known by its blob's key and the moment it is due: whoever takes a
removal on moves that moment, so no blob is wanted and removed at the same time.
"""

from collections.abc import Sequence
from datetime import datetime

from messenger.core.database.pool import Database
from messenger.files.model import Bounds, Reserved
from messenger.files.resumable.model import Piece, Upload
from messenger.files.store.files import BLOCKED

# Both changes of an upload take the notes of its blobs back, where all still stand.
_TAKE_BACK = """
), held as (
    select r.blob_key from file.removals r
    join unnest(%(keys)s::text[], %(dues)s::timestamptz[]) as noted (blob_key, due_at)
        on r.blob_key = noted.blob_key and r.due_at = noted.due_at
    where exists (select from upload)
    for update of r
), good as (
    select upload.* from upload
    where (select count(*) from held) = cardinality(%(keys)s::text[]) and not upload.blocked
), taken_back as (
    delete from file.removals where blob_key in (select blob_key from held) and exists (select from good)
"""


class UploadStore:
    """Rows of resumable uploads, where they are not as those of all files (store/files.py)."""

    def __init__(self, database: Database, bounds: Bounds) -> None:
        self._database = database
        self._abandoned = bounds.abandoned
        self._ahead = bounds.ahead

    async def upload(self, file_id: str, user_id: str) -> Upload | None:
        """This user's upload of this id, finished or not."""
        rows = await self._database.read(
            """
            select f.file_id, f.received, f.size, f.upload_metadata, f.state = 'stored',
                f.touched_at + make_interval(secs => %(abandoned)s),
                f.state = 'uploading' and f.touched_at + make_interval(secs => %(abandoned)s) <= now()
            from file.files f
            where f.file_id = %(file_id)s and f.uploader_id = %(user_id)s and f.received is not null
                and (f.state = 'uploading' or f.expires_at is null or f.expires_at > now())
            """,
            {"file_id": file_id, "user_id": user_id, "abandoned": self._abandoned},
        )
        return Upload(*rows[0]) if rows else None

    async def note(self, blob_key: str) -> datetime:
        """Note a blob for removal, should nobody take the note back before the moment that is returned."""
        rows = await self._database.write(
            "insert into file.removals (blob_key, due_at) values (%s, now() + make_interval(secs => %s))"
            " returning due_at",
            (blob_key, self._abandoned),
        )
        due: datetime = rows[0][0]
        return due

    async def renew(self, notes: dict[str, datetime]) -> dict[str, datetime]:
        """Put removals off: the new moments, by key, of those notes that still stand."""
        rows = await self._database.write(
            """
            update file.removals r set due_at = now() + make_interval(secs => %(abandoned)s)
            from unnest(%(keys)s::text[], %(dues)s::timestamptz[]) as noted (blob_key, due_at)
            where r.blob_key = noted.blob_key and r.due_at = noted.due_at
            returning r.blob_key, r.due_at
            """,
            {"abandoned": self._abandoned, "keys": list(notes), "dues": list(notes.values())},
        )
        return dict(rows)

    async def let_go(self, notes: dict[str, datetime]) -> None:
        """Make removals due now, of those notes that still stand."""
        # A blob may still be on its way to S3, so not at once.
        await self._database.write(
            """
            update file.removals r set due_at = least(r.due_at, now() + interval '2 seconds')
            from unnest(%(keys)s::text[], %(dues)s::timestamptz[]) as noted (blob_key, due_at)
            where r.blob_key = noted.blob_key and r.due_at = noted.due_at
            returning r.blob_key
            """,
            {"keys": list(notes), "dues": list(notes.values())},
        )

    async def advance(
        self, file_id: str, offset: int, pieces: Sequence[Piece], notes: dict[str, datetime]
    ) -> bool:
        """Add pieces to an unfinished upload that is at `offset`; False where it is not, or a note is gone.
        They don't complete it."""
        keys = [piece.blob_key for piece in pieces]
        rows = await self._database.write(
            f"""
            with upload as (
                select file_id, false as blocked from file.files
                where file_id = %(file_id)s and state = 'uploading' and received = %(offset)s
                    and received + %(more)s < size
                for update
            {_TAKE_BACK}
            ), added as (
                insert into file.segments (file_id, start, size, blob_key)
                select good.file_id, piece.start, piece.size, piece.blob_key
                from good, unnest(%(starts)s::bigint[], %(sizes)s::bigint[], %(keys)s::text[])
                    as piece (start, size, blob_key)
            )
            update file.files f
            set received = f.received + %(more)s, touched_at = now() + make_interval(secs => %(ahead)s)
            from good where f.file_id = good.file_id
            returning f.file_id
            """,  # noqa: S608 - made of constants
            {
                "file_id": file_id,
                "offset": offset,
                "more": sum(piece.size for piece in pieces),
                "keys": keys,
                "dues": [notes[key] for key in keys],
                "starts": [piece.start for piece in pieces],
                "sizes": [piece.size for piece in pieces],
                "ahead": self._ahead,
            },
        )
        return bool(rows)

    async def pieces(self, file_id: str) -> list[Piece]:
        """All pieces of an unfinished upload, in order."""
        rows = await self._database.read(
            """
            select s.blob_key, s.start, s.size from file.segments s
            join file.files f on f.file_id = s.file_id and f.state = 'uploading'
            where s.file_id = %s order by s.start
            """,
            (file_id,),
        )
        return [Piece(*row) for row in rows]

    async def complete(
        self, file_id: str, offset: int, blob_key: str, noted: datetime, sha256: bytes
    ) -> Reserved:
        """Make an unfinished upload that is at `offset` a file of this blob; `gone` where it is not, or the
        note is gone, `blocked` where a block bars its conversation by now."""
        # The file's life is counted from now on, not from when its upload began.
        rows = await self._database.write(
            f"""
            with upload as (
                select f.file_id, {BLOCKED} from file.files f
                where f.file_id = %(file_id)s and f.state = 'uploading' and f.received = %(offset)s
                for update of f
            {_TAKE_BACK}
            ), forgotten as (
                delete from file.segments s using good where s.file_id = good.file_id
            ), stored as (
                update file.files f
                set state = 'stored', blob_key = %(blob_key)s, received = f.size, sha256 = %(sha256)s,
                    touched_at = now(), created_at = now(), expires_at = f.expires_at + (now() - f.created_at)
                from good where f.file_id = good.file_id
                returning f.file_id
            )
            select exists (select from stored), exists (select from upload where blocked)
            """,  # noqa: S608 - made of constants
            {
                "file_id": file_id,
                "offset": offset,
                "blob_key": blob_key,
                "sha256": sha256,
                "keys": [blob_key],
                "dues": [noted],
            },
        )
        stored, blocked = rows[0]
        return Reserved.done if stored else Reserved.blocked if blocked else Reserved.gone
