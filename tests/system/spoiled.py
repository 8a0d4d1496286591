"""Ways to spoil what is stored, for who looks whether `messenger-admin check` sees them.

Statements have names in place of ids: conversations `c` and `g`, device `d`, users `a` and `b`, file `f`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Spoiled:
    """A way to spoil what is stored, whose check sees it, and whether that is mended."""

    title: str
    statement: str
    mended: bool = True


NEVER = "00000000-0000-7000-8000-000000000001"
SPOILED = (
    Spoiled("numbers of messages", "delete from message.messages where conversation_id = %(c)s and seq = 3"),
    Spoiled(
        "numbers of messages",
        "update message.conversations set last_seq = last_seq - 1 where conversation_id = %(g)s",
    ),
    Spoiled(
        "numbers of changes",
        "update message.conversations set last_change = 0 where conversation_id = %(c)s",
    ),
    Spoiled(
        "places", "update message.places set seq = 99 where device_id = %(d)s and conversation_id = %(c)s"
    ),
    Spoiled("places", f"insert into message.places values (%(d)s, '{NEVER}', 0, 0)"),
    Spoiled(
        "members' marks",
        "update message.members set read_seq = 77 where conversation_id = %(c)s and user_id = %(b)s",
    ),
    Spoiled(
        "numbers of members",
        "update message.conversations set member_count = 9 where conversation_id = %(g)s",
    ),
    Spoiled(
        "owners",
        "update message.members set role = 'member' where conversation_id = %(g)s and user_id = %(a)s",
        mended=False,
    ),
    Spoiled("blocks", "update message.conversations set blocked = true where conversation_id = %(c)s"),
    Spoiled(
        "expired contents",
        "update message.messages set expires_at = now() - interval '2 hours'"
        " where conversation_id = %(c)s and seq = 5",
    ),
    Spoiled(
        "conversations of changes",
        f"insert into message.changes values ('{NEVER}', 1, 0, now(), null, 'created', '{{}}')",
        mended=False,
    ),
    Spoiled(
        "sessions",
        "update auth.sessions set user_id = %(b)s where session_id ="
        " (select session_id from auth.sessions where user_id = %(a)s and ended_at is null limit 1)",
    ),
    Spoiled("highest key ids", "update key.devices set highest_one_time_id = 1 where device_id = %(d)s"),
    Spoiled("quota", "update file.usage set bytes = 7 where user_id = %(a)s"),
    Spoiled("shares", "update file.files set conversations = 5 where file_id = %(f)s"),
    Spoiled(
        "broken-off uploads",
        "insert into file.files (file_id, uploader_id, state, blob_key, size, touched_at)"
        f" values ('{NEVER}', '{NEVER}', 'uploading', 'x', 0, now() - interval '1 day')",
        mended=False,
    ),
    Spoiled("blobs", f"update file.files set blob_key = '{'0' * 32}' where file_id = %(f)s", mended=False),
    Spoiled(
        "outbox of auth",
        "insert into auth.outbox (id, subject, payload, created_at)"
        " values (gen_random_uuid(), 'nobody.hears', 'x', now() - interval '2 minutes')",
        mended=False,
    ),
)
