"""The statements of store.py, which alone runs them. Times are the database's.

Whatever changes or takes the keys of a device holds the lock of its row in key.devices, in the order of the
ids where there are several.
"""

LOCK_DEVICE = "select 1 from key.devices where device_id = %s and user_id = %s for no key update"
ADD_DEVICE = """
    insert into key.devices (device_id, user_id)
    select device_id, user_id from auth.live_devices where device_id = %s and user_id = %s
    on conflict do nothing
"""
READ_DEVICE = """
    select d.user_id, d.device_id, d.identity_key, d.signed_prekey_id, d.signed_prekey_created_at,
        d.highest_one_time_id, d.highest_kem_id, d.certificate, a.account_key,
        (select count(*) from key.one_time_prekeys o where o.device_id = d.device_id),
        (select count(*) from key.kem_prekeys k where k.device_id = d.device_id)
    from key.devices d
    join auth.live_devices l on l.device_id = d.device_id
    left join key.accounts a on a.user_id = d.user_id
    where d.device_id = %s
"""
SET_IDENTITY = "update key.devices set identity_key = %s where device_id = %s"
SET_SIGNED_PREKEY = """
    update key.devices set signed_prekey_id = %s, signed_prekey = %s, signed_prekey_signature = %s,
        signed_prekey_created_at = now()
    where device_id = %s
"""
SET_CERTIFICATE = "update key.devices set certificate = %s where device_id = %s"
ADD_ONE_TIME = """
    with added as (
        insert into key.one_time_prekeys (device_id, key_id, public_key)
        select %(device_id)s, * from unnest(%(key_ids)s::integer[], %(public_keys)s::bytea[])
    )
    update key.devices set highest_one_time_id = %(highest)s where device_id = %(device_id)s
"""
ADD_KEM = """
    with added as (
        insert into key.kem_prekeys (device_id, key_id, public_key, signature)
        select %(device_id)s, *
        from unnest(%(key_ids)s::integer[], %(public_keys)s::bytea[], %(signatures)s::bytea[])
    )
    update key.devices set highest_kem_id = %(highest)s where device_id = %(device_id)s
"""
SET_LAST_RESORT = """
    insert into key.last_resort_prekeys (device_id, key_id, public_key, signature) values (%s, %s, %s, %s)
    on conflict (device_id) do update
    set key_id = excluded.key_id, public_key = excluded.public_key, signature = excluded.signature
"""
LOCK_DEVICES_OF_USER = """
    select from key.devices where user_id = %s order by device_id for no key update
"""
# Locks the row that stands, and tells of it.
FIND_OR_ADD_ACCOUNT = """
    insert into key.accounts (user_id, account_key) values (%s, %s)
    on conflict (user_id) do update set account_key = key.accounts.account_key
    returning account_key, xmax = 0
"""
REPLACE_ACCOUNT_KEY = "update key.accounts set account_key = %s, created_at = now() where user_id = %s"
VOID_CERTIFICATES = "update key.devices set certificate = null where user_id = %s"
PUBLISHED_OF_USER = "select device_id from key.published_devices where user_id = %s"
IDENTITIES = """
    select a.account_key, d.device_id, d.identity_key, d.certificate
    from auth.live_users u
    left join key.accounts a on a.user_id = u.user_id
    left join key.published_devices p on p.user_id = u.user_id
    left join key.devices d on d.device_id = p.device_id
    where u.user_id = %s order by d.device_id
"""
PENDING = """
    select d.device_id, d.identity_key
    from key.devices d
    join auth.live_devices l on l.device_id = d.device_id
    where d.user_id = %s and d.identity_key is not null
        and not exists (select from key.published_devices p where p.device_id = d.device_id)
    order by d.device_id
"""
USER_EXISTS = "select 1 from auth.live_users where user_id = %s"
ADD_EVENT = "insert into key.outbox (id, subject, payload) values (%s, %s, %s)"

# Two statements in one message to the server, which makes them one transaction: the second one's snapshot is
# taken once all locks are held, so that it sees what the claims before it have left.
CLAIM = """
    select from key.devices where {asked} and device_id <> %(asker_device_id)s
    order by device_id for no key update;

    with asked as materialized (
        select d.*, a.account_key
        from key.published_devices p
        join key.devices d on d.device_id = p.device_id
        left join key.accounts a on a.user_id = d.user_id
        where p.{asked} and p.device_id <> %(asker_device_id)s
    ),
    recent as (
        select c.device_id, count(*) as total,
            (array_agg(c.claimed_at order by c.claimed_at desc)
                filter (where c.asker_id = %(asker_id)s))[%(by_asker)s] as share_began
        from key.claims c join asked a on a.device_id = c.device_id
        where c.claimed_at > now() - interval '1 hour'
        group by c.device_id
    ),
    refusal as materialized (
        select ceil(extract(epoch from max(share_began) + interval '1 hour' - now()))::integer as seconds
        from recent where share_began is not null
    ),
    giving as materialized (
        select a.device_id from asked a left join recent r on r.device_id = a.device_id
        where coalesce(r.total, 0) < %(of_device)s and (select seconds from refusal) is null
    ),
    one_time as (
        delete from key.one_time_prekeys o
        using (
            select picked.device_id, picked.key_id
            from giving g cross join lateral (
                select device_id, key_id from key.one_time_prekeys
                where device_id = g.device_id order by key_id limit 1 for update skip locked
            ) picked
        ) taken
        where o.device_id = taken.device_id and o.key_id = taken.key_id
        returning o.device_id, o.key_id, o.public_key
    ),
    kem as (
        delete from key.kem_prekeys o
        using (
            select picked.device_id, picked.key_id
            from giving g cross join lateral (
                select device_id, key_id from key.kem_prekeys
                where device_id = g.device_id order by key_id limit 1 for update skip locked
            ) picked
        ) taken
        where o.device_id = taken.device_id and o.key_id = taken.key_id
        returning o.device_id, o.key_id, o.public_key, o.signature
    ),
    counted as (
        insert into key.claims (device_id, asker_id)
        select device_id, %(asker_id)s::uuid from one_time
        union select device_id, %(asker_id)s::uuid from kem
    ),
    left_over as (
        -- The snapshot still has what is being deleted.
        select a.device_id, (
            select count(*) from (
                select from key.one_time_prekeys o where o.device_id = a.device_id limit %(low)s + 1
            ) few
        ) - (select count(*) from one_time o where o.device_id = a.device_id) as number
        from asked a where (select seconds from refusal) is null
    ),
    low as materialized (
        select device_id, number, gen_random_uuid() as event_id from left_over where number < %(low)s
    ),
    told as (
        insert into key.outbox (id, subject, payload)
        select event_id, %(subject)s, convert_to(
            json_build_object('device_id', device_id, 'one_time_prekeys', number)::text, 'UTF8')
        from low
    )
    select (select seconds from refusal), a.user_id, a.device_id, a.identity_key, a.signed_prekey_id,
        a.signed_prekey, a.signed_prekey_signature, o.key_id, o.public_key,
        coalesce(k.key_id, l.key_id), coalesce(k.public_key, l.public_key),
        coalesce(k.signature, l.signature), k.key_id is null,
        a.account_key, case when a.account_key is not null then a.certificate end,
        w.event_id, w.number
    from asked a
    left join one_time o on o.device_id = a.device_id
    left join kem k on k.device_id = a.device_id
    left join key.last_resort_prekeys l on l.device_id = a.device_id
    left join low w on w.device_id = a.device_id
    order by a.device_id
"""
CLAIM_OF_USER = CLAIM.format(asked="user_id = %(user_id)s")
CLAIM_OF_DEVICES = CLAIM.format(asked="device_id = any(%(device_ids)s::uuid[])")

FORGET_DEVICES = """
    delete from key.devices where device_id in (
        select d.device_id from key.devices d
        where d.device_id = any(%s::uuid[])
            and not exists (select from auth.live_devices l where l.device_id = d.device_id)
        order by d.device_id for update
    )
"""
FORGET_USER = """
    with gone as (select user_id from auth.deleted_users where user_id = %s),
    account as (delete from key.accounts a using gone where a.user_id = gone.user_id)
    delete from key.devices where device_id in (
        select d.device_id from key.devices d join gone on gone.user_id = d.user_id
        order by d.device_id for update of d
    )
"""
FORGET_DELETED = """
    with gone as materialized (
        select g.user_id from auth.deleted_users g
        where exists (select from key.devices d where d.user_id = g.user_id)
            or exists (select from key.accounts a where a.user_id = g.user_id)
        limit %s
    ),
    account as (delete from key.accounts a using gone where a.user_id = gone.user_id returning 1),
    device as (
        delete from key.devices where device_id in (
            select d.device_id from key.devices d join gone on gone.user_id = d.user_id
            order by d.device_id for update of d skip locked
        ) returning 1
    )
    select (select count(*) from account) + (select count(*) from device)
"""
SWEEP_DEVICES = """
    delete from key.devices where device_id in (
        select d.device_id from key.devices d
        where not exists (select from auth.live_devices l where l.device_id = d.device_id)
        limit %s for update skip locked
    )
"""
SWEEP_CLAIMS = """
    delete from key.claims where ctid = any(array(
        select ctid from key.claims where claimed_at < now() - interval '1 hour'
        limit %s for update skip locked
    ))
"""
