"""The statements of resumable uploads. Each is one transaction; how they lock is said in files/sql.py.

A blob is noted for removal before S3 gets its first byte, and the note is taken back by the statement that
makes the blob part of an upload. A note is known by its blob's key and the moment it is due: whoever takes a
removal on moves that moment, so no blob is wanted and removed at the same time.
"""

from messenger.files.sql import BLOCKED

FIND = """
select f.file_id, f.received, f.size, f.upload_metadata, f.state = 'stored',
    f.touched_at + make_interval(secs => %(abandoned)s),
    f.state = 'uploading' and f.touched_at + make_interval(secs => %(abandoned)s) <= now()
from file.files f
where f.file_id = %(file_id)s and f.uploader_id = %(user_id)s and f.received is not null
    and (f.state = 'uploading' or f.expires_at is null or f.expires_at > now())
"""

NOTE = """
insert into file.removals (blob_key, due_at) values (%s, now() + make_interval(secs => %s)) returning due_at
"""

RENEW = """
update file.removals r set due_at = now() + make_interval(secs => %(abandoned)s)
from unnest(%(keys)s::text[], %(dues)s::timestamptz[]) as noted (blob_key, due_at)
where r.blob_key = noted.blob_key and r.due_at = noted.due_at
returning r.blob_key, r.due_at
"""

# A blob may still be on its way to S3, so not at once.
LET_GO = """
update file.removals r set due_at = least(r.due_at, now() + interval '2 seconds')
from unnest(%(keys)s::text[], %(dues)s::timestamptz[]) as noted (blob_key, due_at)
where r.blob_key = noted.blob_key and r.due_at = noted.due_at
returning r.blob_key
"""

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

ADVANCE = f"""
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
"""  # noqa: S608 - made of constants

SEGMENTS = """
select s.blob_key, s.start, s.size from file.segments s
join file.files f on f.file_id = s.file_id and f.state = 'uploading'
where s.file_id = %s order by s.start
"""

# The file's life is counted from now on, not from when its upload began.
FINISH = f"""
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
"""  # noqa: S608 - made of constants
