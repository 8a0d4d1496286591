"""The statements of factor_store.py, which alone runs them; all but ADD_CHALLENGE and CHALLENGE under the
user's lock."""

TOTP = "select secret, last_step from auth.factors where user_id = %s and kind = 'totp' and {}"
CONFIRMED = TOTP.format("confirmed_at is not null")
WAITING = TOTP.format("confirmed_at is null")
# Does nothing where a confirmed one stands.
ENROL = """
    insert into auth.factors (factor_id, user_id, kind, secret) values (%s, %s, 'totp', %s)
    on conflict (user_id) where kind = 'totp'
    do update set secret = excluded.secret, created_at = now(), last_step = -1
    where auth.factors.confirmed_at is null
"""
CONFIRM = """
    update auth.factors set confirmed_at = now(), last_step = %s
    where user_id = %s and kind = 'totp' and confirmed_at is null
"""
SERVE_STEP = "update auth.factors set last_step = %s where user_id = %s and kind = 'totp'"
RECOVERY_HASHES = "select code_hash from auth.recovery_codes where user_id = %s"
ADD_RECOVERY_HASHES = """
    insert into auth.recovery_codes (user_id, code_hash) select %s, unnest(%s::bytea[])
"""
USE_RECOVERY_HASH = "delete from auth.recovery_codes where user_id = %s and code_hash = %s"

ADD_CHALLENGE = """
    insert into auth.challenges
        (challenge_hash, user_id, credential, device_id, device_name, tries_left, expires_at)
    values (%s, %s, %s, %s, %s, %s, now() + %s * interval '1 second')
"""
CHALLENGE = """
    select u.user_id, u.username, u.created_at, c.credential, c.device_id, c.tries_left, c.device_name
    from auth.challenges c join auth.users u on u.user_id = c.user_id
    where c.challenge_hash = %s and c.expires_at > now() and c.tries_left > 0
"""
COUNT_TRY = """
    update auth.challenges set tries_left = tries_left - 1 where challenge_hash = %s returning tries_left
"""
END_CHALLENGE = "delete from auth.challenges where challenge_hash = %s"
