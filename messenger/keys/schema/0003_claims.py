"""claims as a function, whose plans are made once in a session

As one statement from outside a claim was planned each time, which cost more than its execution. The function
says how to look (one row at a time, by index), so that a plan which was made while the tables were nearly
empty does as well later.

Its first statement takes the locks; the second one's snapshot is taken once all are held, so that it sees
what the claims before it have left.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

CLAIM = """
create function key.claim_bundles(
    asked_user uuid, asked_devices uuid[], asker uuid, asker_device uuid,
    by_asker integer, of_device integer, low_mark integer, low_subject text
) returns table (
    retry_after integer, user_id uuid, device_id uuid, identity_key bytea,
    signed_prekey_id integer, signed_prekey bytea, signed_prekey_signature bytea,
    one_time_id integer, one_time_key bytea,
    kem_id integer, kem_key bytea, kem_signature bytea, kem_last_resort boolean,
    account_key bytea, certificate bytea, low_event uuid, one_time_left integer
) language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    locked uuid[];
begin
    if asked_user is not null then
        select array_agg(l.device_id) into locked from (
            select d.device_id from key.devices d
            where d.user_id = asked_user and d.device_id <> asker_device
            order by d.device_id for no key update
        ) l;
    else
        select array_agg(l.device_id) into locked from (
            select d.device_id from key.devices d
            where d.device_id = any(asked_devices) and d.device_id <> asker_device
            order by d.device_id for no key update
        ) l;
    end if;
    if locked is null then
        return;
    end if;
    return query
    with asked as materialized (
        select d.*, r.total, r.share_began
        from unnest(locked) as l(device_id)
        cross join lateral (
            select d.*, a.account_key
            from key.published_devices p
            join key.devices d on d.device_id = p.device_id
            left join key.accounts a on a.user_id = d.user_id
            where p.device_id = l.device_id limit 1
        ) d
        cross join lateral (
            select count(*) as total,
                (array_agg(c.claimed_at order by c.claimed_at desc)
                    filter (where c.asker_id = asker))[by_asker] as share_began
            from key.claims c
            where c.device_id = l.device_id and c.claimed_at > now() - interval '1 hour'
        ) r
    ),
    refusal as materialized (
        select ceil(extract(epoch from max(a.share_began) + interval '1 hour' - now()))::integer as seconds
        from asked a
    ),
    giving as materialized (
        select a.device_id, o.key_id as one_time_id, k.key_id as kem_id
        from asked a
        left join lateral (
            select o.key_id from key.one_time_prekeys o
            where o.device_id = a.device_id order by o.key_id limit 1
        ) o on true
        left join lateral (
            select k.key_id from key.kem_prekeys k
            where k.device_id = a.device_id order by k.key_id limit 1
        ) k on true
        where a.total < of_device and (select r.seconds from refusal r) is null
    ),
    one_time as (
        delete from key.one_time_prekeys o using giving g
        where o.device_id = g.device_id and o.key_id = g.one_time_id
        returning o.device_id, o.key_id, o.public_key
    ),
    kem as (
        delete from key.kem_prekeys o using giving g
        where o.device_id = g.device_id and o.key_id = g.kem_id
        returning o.device_id, o.key_id, o.public_key, o.signature
    ),
    counted as (
        insert into key.claims (device_id, asker_id)
        select o.device_id, asker from one_time o union select k.device_id, asker from kem k
    ),
    left_over as (
        -- The snapshot still has what is being deleted.
        select a.device_id, (
            select count(*) from (
                select from key.one_time_prekeys o where o.device_id = a.device_id limit low_mark + 1
            ) few
        )::integer - (select count(*) from one_time o where o.device_id = a.device_id)::integer as number
        from asked a where (select r.seconds from refusal r) is null
    ),
    low as materialized (
        select l.device_id, l.number, gen_random_uuid() as event_id from left_over l where l.number < low_mark
    ),
    told as (
        insert into key.outbox (id, subject, payload)
        select w.event_id, low_subject, convert_to(
            json_build_object('device_id', w.device_id, 'one_time_prekeys', w.number)::text, 'UTF8')
        from low w
    )
    select (select r.seconds from refusal r), a.user_id, a.device_id, a.identity_key, a.signed_prekey_id,
        a.signed_prekey, a.signed_prekey_signature, o.key_id, o.public_key,
        coalesce(k.key_id, l.key_id), coalesce(k.public_key, l.public_key),
        coalesce(k.signature, l.signature), k.key_id is null,
        a.account_key, case when a.account_key is not null then a.certificate end,
        w.event_id, w.number
    from asked a
    left join one_time o on o.device_id = a.device_id
    left join kem k on k.device_id = a.device_id
    left join lateral (
        select l.key_id, l.public_key, l.signature from key.last_resort_prekeys l
        where l.device_id = a.device_id limit 1
    ) l on true
    left join low w on w.device_id = a.device_id
    order by a.device_id;
end
$$;
revoke all on function key.claim_bundles from public;
grant execute on function key.claim_bundles to messenger_key;
"""


def upgrade() -> None:
    """Only adds: the code before it goes on with its own statement."""
    op.execute(CLAIM)
