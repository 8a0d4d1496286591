"""The statements of the file service. Each is one transaction and says by its locks who waits for whom.

Locks are taken in one order, a file's row and then its uploader's usage, and a statement holds one of each at
most (LET_GO holds many files, but waits for none and takes no usage): no two can wait for each other. Who is
in which conversation is read from the message service's views at the moment of asking; whose account is gone,
from auth's.
"""

# What a deletion does besides: the quota is given back and the blob is noted for removal. The blob of a
# broken-off upload may still be on its way, so it is removed once more later.
DROP = """
with gone as (
    delete from file.files where file_id = ({which})
    returning blob_key, upload_id, uploader_id, size, state = 'stored' as final
), given_back as (
    update file.usage u set bytes = u.bytes - gone.size, files = u.files - 1
    from gone where u.user_id = gone.uploader_id
), noted as (
    insert into file.removals (blob_key, upload_id, due_at)
    select blob_key, upload_id,
        now() + case when final then interval '1 minute' else make_interval(secs => %(abandoned)s) end
    from gone
)
select blob_key, upload_id, final from gone
"""
DROP_ONE = DROP.format(which="%(file_id)s")
DROP_ABANDONED = DROP.format(
    which="""
    select file_id from file.files
    where state = 'uploading' and touched_at < now() - make_interval(secs => %(abandoned)s)
    order by touched_at limit 1 for update skip locked
    """
)
DROP_EXPIRED = DROP.format(
    which="""
    select file_id from file.files where state = 'stored' and expires_at <= now()
    order by expires_at limit 1 for update skip locked
    """
)
DROP_OWNERLESS = DROP.format(
    which="""
    select f.file_id from auth.deleted_users d
    join file.usage u on u.user_id = d.user_id and u.files > 0
    join file.files f on f.uploader_id = d.user_id
    limit 1 for update of f skip locked
    """
)

# A conversation's messages live for message_ttl seconds, or for ever where that is null.
BEGIN = """
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
        (file_id, uploader_id, state, blob_key, size, metadata, conversations, expires_at, received,
        upload_metadata, touched_at)
    select %(file_id)s, %(uploader_id)s, 'uploading', %(blob_key)s, %(reserved)s, %(metadata)s,
        (%(conversation_id)s::uuid is not null)::integer,
        now() + case when %(conversation_id)s::uuid is null then make_interval(secs => %(unshared)s)
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
"""

GROW = """
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
"""

TOUCH = """
update file.files set touched_at = now() where file_id = %s and state = 'uploading' returning 1
"""

NOTE_PARTS = "update file.files set upload_id = %s, touched_at = now() where file_id = %s"

# Whether an upload's conversation is barred by a block: one may have been set while the bytes came.
BLOCKED = """exists (
        select from file.shares s
        join message.blocked_conversations b on b.conversation_id = s.conversation_id
        where s.file_id = f.file_id
    ) as blocked"""

FINISH = f"""
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
    set state = 'stored', size = %(size)s, sha256 = %(sha256)s, upload_id = null, touched_at = now()
    from good where f.file_id = good.file_id
    returning f.*
)
select upload.blocked, f.file_id, f.blob_key, f.size, f.sha256, f.metadata,
    array(select s.conversation_id from file.shares s where s.file_id = f.file_id),
    f.created_at, f.expires_at, true, f.conversations > 0, f.conversations > 0
from upload left join stored f on true
"""  # noqa: S608 - made of constants

FIND = """
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
        join message.memberships m on m.conversation_id = s.conversation_id and m.user_id = %(user_id)s
        where s.file_id = f.file_id
    ),
    exists (
        select from file.shares s join message.memberships m on m.conversation_id = s.conversation_id
        where s.file_id = f.file_id
    )
from file.files f
where f.file_id = %(file_id)s and f.state = 'stored' and (f.expires_at is null or f.expires_at > now())
    and not exists (select from auth.deleted_users d where d.user_id = f.uploader_id)
"""

# The lock comes first, so that `conversations` and `expires_at` are the latest there are.
SHARE = """
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
        select from file.shares where file_id = %(file_id)s and conversation_id = %(conversation_id)s
    ), exists (select from conversation where blocked)
"""

LET_GO = """
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
"""

# Whoever takes a removal has half a minute for it before others try, which would do no harm.
DUE = """
update file.removals r set due_at = now() + interval '30 seconds'
from (
    select blob_key from file.removals where due_at <= now()
    order by due_at limit %s for update skip locked
) d
where r.blob_key = d.blob_key
returning r.blob_key, r.upload_id
"""

CLEARED = "delete from file.removals where blob_key = %s"
