"""The statements of store.py, key_store.py and writes.py, which alone run them.

Times are the database's, life spans in seconds.
"""

ADD_USER = """
    insert into auth.users (user_id, username, password_hash, kdf) values (%s, %s, %s, %s)
    on conflict (username) do nothing returning created_at
"""
ADD_DEVICE = "insert into auth.devices (device_id, user_id, device_name) values (%s, %s, %s)"
ADD_SESSION = """
    insert into auth.sessions
        (session_id, user_id, device_id, auth_time, refresh_hash, expires_at, token_until)
    values (%s, %s, %s, %s, %s, now() + %s * interval '1 second', now() + %s * interval '1 second')
"""
INVITE_GOOD = """
    select 1 from auth.invites
    where invite_hash = %s and uses_left > 0 and (expires_at is null or expires_at > now())
"""
SPEND_INVITE = """
    update auth.invites set uses_left = uses_left - 1
    where invite_hash = %s and uses_left > 0 and (expires_at is null or expires_at > now())
"""
CREDENTIALS = """
    select user_id, username, created_at, password_hash from auth.users
    where {} = %s and password_hash is not null and disabled_at is null
"""
SEE_DEVICE = """
    update auth.devices set last_seen_at = now(), device_name = coalesce(%s, device_name)
    where device_id = %s and user_id = %s
"""
READ_SESSION = """
    select s.refresh_hash, s.previous_hash, s.spent_at, s.expires_at, s.end_reason, now(),
        s.user_id, u.username, u.created_at, s.device_id, s.auth_time
    from auth.sessions s join auth.users u on u.user_id = s.user_id and u.deleted_at is null
    where s.session_id = %s for update of s
"""
SPEND = """
    update auth.sessions set previous_hash = %s, refresh_hash = %s, spent_at = now(),
        expires_at = now() + %s * interval '1 second', token_until = now() + %s * interval '1 second'
    where session_id = %s
"""
PROLONG = "update auth.sessions set token_until = now() + %s * interval '1 second' where session_id = %s"
END_SESSIONS = """
    update auth.sessions set ended_at = now(), end_reason = %(reason)s
    where ended_at is null and {}
    returning session_id, user_id, device_id
"""
END_ONE = END_SESSIONS.format("session_id = %(session_id)s")
END_OF_DEVICE = END_SESSIONS.format("device_id = %(device_id)s and user_id = %(user_id)s")
END_OF_DEVICES = END_SESSIONS.format("device_id = any(%(device_ids)s::uuid[])")
END_OTHERS = END_SESSIONS.format("user_id = %(user_id)s and session_id <> %(kept)s")
END_OF_USER = END_SESSIONS.format("user_id = %(user_id)s")
ADD_EVENTS = """
    insert into auth.outbox (id, subject, payload)
    select * from unnest(%s::uuid[], %s::text[], %s::bytea[])
"""
ADD_TICKET = """
    insert into auth.tickets
        (ticket_hash, user_id, device_id, session_id, auth_time, token_expires_at, expires_at)
    select %s, user_id, device_id, session_id, %s, %s, now() + %s * interval '1 second'
    from auth.sessions where session_id = %s and ended_at is null
    returning 1
"""
DEVICES = """
    select device_id, device_name, created_at, last_seen_at from auth.devices
    where user_id = %s order by created_at, device_id
"""
USERS = """
    select user_id, username, created_at from auth.users
    where user_id = any(%s::uuid[]) and deleted_at is null
"""
USER_NAMED = """
    select user_id, username, created_at from auth.users where username = %s and deleted_at is null
"""
# The four steps of removing devices that were not seen for long. The last one looks at the time again: a
# login or a refresh may have come in between.
STALE_DEVICES = """
    select device_id, user_id from auth.devices where last_seen_at < now() - %s * interval '1 second'
    order by last_seen_at limit %s
"""
LOCK_FREE_USERS = """
    select user_id from auth.users where user_id = any(%s::uuid[])
    order by user_id for no key update skip locked
"""
LOCK_SESSIONS = """
    select from auth.sessions where device_id = any(%s::uuid[]) and ended_at is null
    order by session_id for update
"""
REMOVE_STALE = """
    delete from auth.devices
    where device_id = any(%s::uuid[]) and user_id = any(%s::uuid[])
        and last_seen_at < now() - %s * interval '1 second'
    returning device_id, user_id
"""
# A session is kept for a day after it is of no use, so that its end is told with the right word.
OLD_SESSIONS = """
    with old as (
        select session_id from auth.sessions
        where (ended_at < now() - interval '1 day' and token_until < now() - interval '1 day')
            or expires_at < now() - interval '1 day'
        limit %s for update skip locked
    ) delete from auth.sessions s using old where s.session_id = old.session_id
"""
OLD_TICKETS = """
    delete from auth.tickets where ticket_hash in (
        select ticket_hash from auth.tickets where expires_at < now() limit %s for update skip locked
    )
"""
OLD_CHALLENGES = """
    delete from auth.challenges where challenge_hash in (
        select challenge_hash from auth.challenges where expires_at < now() limit %s for update skip locked
    )
"""
# A key is kept for a day after its last token has expired, for whoever looks into what happened.
OLD_KEYS = "delete from auth.signing_keys where verify_until < now() - interval '1 day'"
SET_HASH_AND_KDF = """
    update auth.users set password_hash = %s, kdf = %s where user_id = %s and password_hash = %s
"""
REPLACE_HASH = "update auth.users set password_hash = %s where user_id = %s and password_hash = %s"
DELETE_USER = """
    update auth.users set password_hash = null, kdf = null, deleted_at = now()
    where user_id = %s and password_hash = %s
"""
LOCK_USER = """
    select case when disabled_at is null then password_hash end from auth.users where user_id = %s
    for no key update
"""
REMOVE_DEVICE = """
    delete from auth.devices where device_id = %s and user_id = %s returning device_id, user_id
"""
REMOVE_DEVICES = "delete from auth.devices where user_id = %s returning device_id, user_id"
# After the lock: what committed while it was waited for is seen.
LOGIN_STATE = """
    select array(select device_id from auth.devices where user_id = %s),
        exists (select from auth.factors where user_id = %s and confirmed_at is not null)
"""
REMOVE_TOTP = "delete from auth.factors where user_id = %s and kind = 'totp'"
REMOVE_CHALLENGES = "delete from auth.challenges where user_id = %s"
REMOVE_RECOVERY_HASHES = "delete from auth.recovery_codes where user_id = %s"
KDF = "select kdf from auth.users where username = %s and deleted_at is null"
NAME_TAKEN = "select 1 from auth.users where username = %s"
VERIFICATION_KEYS = "select kid, public_key from auth.verification_keys order by kid"
LOCK = "select pg_advisory_xact_lock(%s)"
KEEP_OR_ADD = "insert into auth.secrets (name, value) values (%s, %s) on conflict do nothing"
KEPT_KEY = "select value from auth.secrets where name = %s"
SIGNING_KEY = """
    select kid, private_key from auth.signing_keys where active_at <= now()
    order by active_at desc, kid limit 1
"""
ADD_FIRST_KEY = """
    insert into auth.signing_keys (kid, public_key, private_key)
    select %s, %s, %s where not exists (select from auth.signing_keys)
"""
