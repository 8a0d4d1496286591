"""The statements of store.py, which alone runs them. Times are the database's.

Whatever changes or takes the keys of a device holds the lock of its row in key.devices, in the order of the
ids where there are several. A claim is a function of the schema (schema/0003_claims.py,
schema/0004_device_lists.py).
"""

LOCK_DEVICE = "select 1 from key.devices where device_id = %s and user_id = %s for no key update"
ADD_DEVICE = """
    insert into key.devices (device_id, user_id)
    select device_id, user_id from auth.live_devices where device_id = %s and user_id = %s
    on conflict do nothing
"""
READ_DEVICE = """
    select d.user_id, d.device_id, d.identity_key, d.signed_prekey_id, d.signed_prekey_created_at,
        d.highest_one_time_id, d.highest_kem_id, s.user_id is not null, e.identity_key,
        (select count(*) from key.one_time_prekeys o where o.device_id = d.device_id),
        (select count(*) from key.kem_prekeys k where k.device_id = d.device_id)
    from key.devices d
    join auth.live_devices l on l.device_id = d.device_id
    left join key.lists s on s.user_id = d.user_id
    left join key.listed_devices e on e.user_id = d.user_id and e.device_id = d.device_id
    where d.device_id = %s
"""
SET_IDENTITY = "update key.devices set identity_key = %s where device_id = %s"
SET_SIGNED_PREKEY = """
    update key.devices set signed_prekey_id = %s, signed_prekey = %s, signed_prekey_signature = %s,
        signed_prekey_created_at = now()
    where device_id = %s
"""
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
ADD_LIST = """
    insert into key.lists (user_id, account_key, version, signature)
    select user_id, %s, %s, %s from auth.live_users where user_id = %s
    on conflict do nothing returning 1
"""
LOCK_LIST = "select account_key, version from key.lists where user_id = %s for update"
SET_LIST = """
    update key.lists set account_key = %s, version = %s, signature = %s, created_at = now() where user_id = %s
"""
CLEAR_LISTED = "delete from key.listed_devices where user_id = %s"
ADD_LISTED = """
    insert into key.listed_devices (user_id, device_id, identity_key)
    select %s, * from unnest(%s::uuid[], %s::bytea[])
"""
PUBLISHED_OF_USER = "select device_id from key.published_devices where user_id = %s"
# A row for each device that the list names or that has an identity key, in one snapshot: an answer whose list
# is older than its devices would look like a server's lie.
IDENTITIES = """
    select s.account_key, s.version, s.signature, x.device_id, x.listed_key, x.identity_key, x.published,
        x.device_name, x.created_at
    from auth.live_users u
    left join key.lists s on s.user_id = u.user_id
    left join lateral (
        select coalesce(e.device_id, d.device_id) as device_id, e.identity_key as listed_key, d.identity_key,
            d.published, d.device_name, d.created_at
        from (select * from key.listed_devices l where l.user_id = u.user_id) e
        full join (
            select k.device_id, k.identity_key, p.device_id is not null as published, n.device_name,
                l.created_at
            from key.devices k
            join auth.live_devices l on l.device_id = k.device_id
            join auth.device_names n on n.device_id = k.device_id
            left join key.published_devices p on p.device_id = k.device_id
            where k.user_id = u.user_id and k.identity_key is not null
        ) d on d.device_id = e.device_id
    ) x on true
    where u.user_id = %s order by x.device_id
"""
USER_EXISTS = "select 1 from auth.live_users where user_id = %s"
ADD_EVENT = "insert into key.outbox (id, subject, payload) values (%s, %s, %s)"

CLAIM = """
    select * from key.claim_listed_bundles(
        %s, %s::uuid[], %s, %s, by_asker => %s, of_device => %s, low_mark => %s, low_subject => %s
    )
"""

FORGET_DEVICES = """
    delete from key.devices where device_id in (
        select d.device_id from key.devices d
        where d.device_id = any(%s::uuid[])
            and not exists (select from auth.live_devices l where l.device_id = d.device_id)
        order by d.device_id for update
    )
"""
# `key.accounts` is of a version before device lists: nothing but this touches it any more.
FORGET_USER = """
    with gone as (select user_id from auth.deleted_users where user_id = %s),
    list as (delete from key.lists s using gone where s.user_id = gone.user_id),
    vault as (delete from key.vault v using gone where v.user_id = gone.user_id),
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
            or exists (select from key.lists s where s.user_id = g.user_id)
            or exists (select from key.vault v where v.user_id = g.user_id)
            or exists (select from key.accounts a where a.user_id = g.user_id)
        limit %s
    ),
    list as (delete from key.lists s using gone where s.user_id = gone.user_id returning 1),
    vault as (delete from key.vault v using gone where v.user_id = gone.user_id returning 1),
    account as (delete from key.accounts a using gone where a.user_id = gone.user_id returning 1),
    device as (
        delete from key.devices where device_id in (
            select d.device_id from key.devices d join gone on gone.user_id = d.user_id
            order by d.device_id for update of d skip locked
        ) returning 1
    )
    select (select count(*) from list) + (select count(*) from vault) + (select count(*) from account)
        + (select count(*) from device)
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
