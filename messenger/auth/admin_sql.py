"""The statements of admin_store.py, which alone runs them. Life spans are in seconds."""

NOTE = "insert into auth.audit (actor, action, subject) values (%s, %s, %s)"
AUDIT = "select at, actor, action, subject from auth.audit order by audit_id desc limit %s"

ANNOUNCED = "select kid from auth.signing_keys where active_at > now()"
# Instances may sign with an old key until they have looked: the margin is for that and for clocks.
RETIRE_KEYS = """
    update auth.signing_keys set verify_until = now() + (%s + %s + 60) * interval '1 second'
    where verify_until is null
"""
ANNOUNCE_KEY = """
    insert into auth.signing_keys (kid, public_key, private_key, active_at)
    values (%s, %s, %s, now() + %s * interval '1 second') returning active_at
"""
KEYS = """
    select kid, created_at, active_at, verify_until,
        case when verify_until <= now() then 'expired'
            when active_at > now() then 'announced'
            when active_at = (select max(active_at) from auth.signing_keys where active_at <= now())
                then 'signing'
            else 'verifying' end
    from auth.signing_keys order by active_at desc, kid
"""

# An invite is known by the first half of its hash: long enough to be one, and of no use to register.
ADD_INVITE = """
    insert into auth.invites (invite_hash, uses_left, expires_at)
    values (%s, %s, now() + %s * interval '1 second')
"""
INVITES = """
    select left(encode(invite_hash, 'hex'), 16), uses_left, created_at, expires_at,
        case when uses_left = 0 then 'used up' when expires_at <= now() then 'expired' else 'good' end
    from auth.invites order by created_at desc limit %s
"""
REVOKE_INVITE = "delete from auth.invites where left(encode(invite_hash, 'hex'), 16) = %s"

USER = """
    select u.user_id, u.username, u.created_at,
        case when u.deleted_at is not null then 'deleted'
            when u.disabled_at is not null then 'disabled' else 'active' end,
        (select count(*) from auth.devices d where d.user_id = u.user_id),
        (select count(*) from auth.sessions s where s.user_id = u.user_id and s.ended_at is null),
        (select max(d.last_seen_at) from auth.devices d where d.user_id = u.user_id),
        exists (select from auth.factors f where f.user_id = u.user_id and f.confirmed_at is not null)
    from auth.users u where {}
"""
USERS = USER.format("u.username > %s order by u.username limit %s")
USER_BY_NAME = USER.format("u.username = %s")
USER_BY_ID = USER.format("u.user_id = %s")
LOCK = "select 1 from auth.users where user_id = %s and deleted_at is null for no key update"
DISABLE = "update auth.users set disabled_at = now() where user_id = %s and disabled_at is null"
ENABLE = "update auth.users set disabled_at = null where user_id = %s and disabled_at is not null"
SET_HASH = "update auth.users set password_hash = %s, kdf = %s where user_id = %s"
DELETE = "update auth.users set password_hash = null, kdf = null, deleted_at = now() where user_id = %s"
DEVICES = """
    select device_id, device_name, created_at, last_seen_at from auth.devices
    where user_id = %s order by created_at, device_id
"""
SESSIONS = """
    select session_id, device_id, to_timestamp(auth_time), spent_at, expires_at, ended_at, end_reason
    from auth.sessions where user_id = %s order by auth_time, session_id
"""
