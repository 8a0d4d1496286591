"""Files: quota and shares that add up, uploads and removals that don't wait for ever."""

from messenger.admin.check.walk import Check, distinct_page_of, page_of
from messenger.core.administrator import Administrator, Row

_FILES = page_of("file.files", "file_id")

_USAGE = """
select i.id, coalesce(u.bytes, 0), coalesce(u.files, 0), f.bytes, f.files
from unnest(%(ids)s::uuid[]) as i(id)
left join file.usage u on u.user_id = i.id
cross join lateral (
    select coalesce(sum(f.size), 0)::bigint as bytes, count(*)::integer as files
    from file.files f where f.uploader_id = i.id
) f
where (coalesce(u.bytes, 0), coalesce(u.files, 0)) <> (f.bytes, f.files)
"""
_MEND_USAGE = """
update file.usage u set bytes = f.bytes, files = f.files from (
    select coalesce(sum(size), 0)::bigint as bytes, count(*)::integer as files
    from file.files where uploader_id = %(user)s
) f
where u.user_id = %(user)s and (u.bytes, u.files) <> (f.bytes, f.files) returning u.bytes, u.files
"""


def _mend_usage(database: Administrator, row: Row) -> str:
    # Whoever changes a user's files changes this row in the same transaction, by so much more or less: with
    # its lock held the files are either counted here, or their change is still to come.
    database.change(
        "insert into file.usage (user_id, bytes, files) values (%s, 0, 0) on conflict do nothing", (row[0],)
    )
    database.rows("select 1 from file.usage where user_id = %s for update", (row[0],))
    found = database.rows(_MEND_USAGE, {"user": row[0]})
    return f"it is {found[0][0]} bytes in {found[0][1]} files now" if found else ""


def _usage(walk: str, title: str) -> Check:
    return Check(
        title,
        _USAGE,
        lambda row: f"user {row[0]} is charged {row[1]} bytes in {row[2]} files and has {row[3]} in {row[4]}",
        walk=walk,
        mend=_mend_usage,
    )


_SHARES = """
select f.file_id, f.conversations, s.count from file.files f
cross join lateral (select count(*) as count from file.shares s where s.file_id = f.file_id) s
where f.file_id = any(%(ids)s::uuid[]) and f.conversations <> s.count
"""


def _mend_shares(database: Administrator, row: Row) -> str:
    database.rows("select 1 from file.files where file_id = %s for update", (row[0],))
    found = database.value(
        "update file.files f set conversations = ("
        " select count(*) from file.shares s where s.file_id = f.file_id"
        ") where f.file_id = %s returning f.conversations",
        (row[0],),
    )
    return f"it says {found} now"


_STUCK = """
select count(*), min(touched_at) from file.files
where state = 'uploading' and touched_at < now() - interval '1 hour' - make_interval(secs => {abandoned})
having count(*) > 0
"""
_OVERDUE = """
select count(*), min(due_at) from file.removals where due_at < now() - interval '1 hour' having count(*) > 0
"""
_UPLOADERS = """
select f.uploader_id, count(*) from file.files f
where f.uploader_id = any(%(ids)s::uuid[])
    and not exists (select from auth.users u where u.user_id = f.uploader_id)
group by f.uploader_id
"""


def checks(abandoned: float) -> tuple[Check, ...]:
    """All of them; `abandoned` is [file] abandoned, in seconds."""
    return (
        _usage(page_of("file.usage", "user_id"), "quota"),
        _usage(distinct_page_of("file.files", "uploader_id"), "quota of who has files"),
        Check(
            "shares",
            _SHARES,
            lambda row: f"file {row[0]} says that it is in {row[1]} conversations and is in {row[2]}",
            walk=_FILES,
            mend=_mend_shares,
        ),
        Check(
            "broken-off uploads",
            _STUCK.format(abandoned=float(abandoned)),
            lambda row: f"{row[0]} wait, the oldest since {row[1]:%Y-%m-%d %H:%M}",
            left="the file service removes them: does it run?",
        ),
        Check(
            "removals of blobs",
            _OVERDUE,
            lambda row: f"{row[0]} are overdue, the oldest since {row[1]:%Y-%m-%d %H:%M}",
            left="the file service does them: does it run, and S3 with it?",
        ),
        Check(
            "uploaders",
            _UPLOADERS,
            lambda row: f"user {row[0]} has {row[1]} files and never was",
            walk=distinct_page_of("file.files", "uploader_id"),
            left="only a backup knows who it was",
        ),
    )
