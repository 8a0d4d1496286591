"""commit_drafts looks each draft up by its index, whatever the tables held when its plan was made

A function's plan is made once in a session and kept. Made on a young system, it read whole tables, which were
nearly empty then, and went on doing so while they grew, until their statistics were next taken: a commit of
one message cost milliseconds with 40,000 stored. So the function says how to look: one row at a time (a
lateral subquery with a limit can't become a hash join), never by a sequential scan, by a plan made once.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

COMMIT = """
create or replace function message.commit_drafts(
    event_id uuid, wait boolean,
    ids uuid[], users uuid[], devices uuid[], clients uuid[], kinds text[], contents bytea[],
    envelope_drafts integer[], envelope_devices uuid[], envelope_contents bytea[]
) returns table (
    draft integer, outcome text, seq bigint, change bigint,
    created_at timestamptz(3), expires_at timestamptz(3)
) language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    locked uuid[];
    moment timestamptz(3);
begin
    if wait then
        select array_agg(l.conversation_id) into locked from (
            select c.conversation_id from message.conversations c
            where c.conversation_id = any(ids) order by 1 for no key update
        ) l;
    else
        select array_agg(l.conversation_id) into locked from (
            select c.conversation_id from message.conversations c
            where c.conversation_id = any(ids) order by 1 for no key update skip locked
        ) l;
    end if;
    moment := clock_timestamp();
    return query
    with drafts as (
        select d.*, d.n::integer as draft
        from unnest(ids, users, devices, clients, kinds, contents) with ordinality
            as d(conversation_id, user_id, device_id, client_id, kind, content, n)
    ), judged as (
        select d.*, c.last_seq, c.last_change, c.message_ttl, m.wrote,
            r.seq as repeat_seq, r.created_at as repeat_created, r.expires_at as repeat_expires,
            case
                when d.conversation_id <> all(coalesce(locked, '{}')) then
                    case when c.conversation_id is null then 'not_found' else 'busy' end
                when m.user_id is null then 'not_found'
                when r.seq is not null then 'repeat'
                when c.ended_at is not null then 'gone'
                when c.blocked then 'blocked'
                else 'stored'
            end as outcome
        from drafts d
        left join lateral (
            select c.conversation_id, c.last_seq, c.last_change, c.message_ttl, c.ended_at, c.blocked
            from message.conversations c where c.conversation_id = d.conversation_id limit 1
        ) c on true
        left join lateral (
            select m.user_id, m.wrote from message.members m
            where m.conversation_id = d.conversation_id and m.user_id = d.user_id and m.left_seq is null
            limit 1
        ) m on true
        left join lateral (
            select r.seq, r.created_at, r.expires_at from message.messages r
            where r.conversation_id = d.conversation_id
                and r.sender_device_id = d.device_id and r.client_id = d.client_id limit 1
        ) r on true
    ), numbered as (
        select j.*, j.last_seq + row_number() over (partition by j.conversation_id order by j.n) as seq,
            moment + make_interval(secs => j.message_ttl) as expires_at
        from judged j where j.outcome = 'stored'
    ), sealed as (
        select e.draft, array_agg(e.device_id) as devices, array_agg(e.content) as contents
        from unnest(envelope_drafts, envelope_devices, envelope_contents) as e(draft, device_id, content)
        group by e.draft
    ), stored as (
        insert into message.messages (
            conversation_id, seq, sender_id, sender_device_id, client_id, kind, content,
            envelope_devices, envelopes, created_at, expires_at
        )
        select s.conversation_id, s.seq, s.user_id, s.device_id, s.client_id, s.kind, s.content,
            e.devices, e.contents, moment, s.expires_at
        from numbered s left join sealed e on e.draft = s.draft
    ), heads as (
        select s.conversation_id, max(s.seq) as seq, max(s.last_change) as change
        from numbered s group by s.conversation_id
    ), moved as (
        update message.conversations c set last_seq = h.seq, updated_at = moment
        from heads h where c.conversation_id = h.conversation_id
    ), wrote as (
        update message.members m set wrote = true
        from (select distinct s.conversation_id, s.user_id from numbered s where not s.wrote) n
        where m.conversation_id = n.conversation_id and m.user_id = n.user_id
    ), noted as (
        insert into message.outbox (id, subject, payload)
        select event_id, 'messenger.news.heads', convert_to(json_build_object('heads', json_agg(
            json_build_object('conversation_id', h.conversation_id, 'seq', h.seq, 'change', h.change)
        ))::text, 'UTF8')
        from heads h having count(*) > 0
    )
    select j.draft, j.outcome, coalesce(s.seq, j.repeat_seq), j.last_change,
        case when s.seq is null then j.repeat_created else moment end,
        coalesce(s.expires_at, j.repeat_expires)
    from judged j left join numbered s on s.draft = j.draft
    order by j.n;
end
$$;
"""


def upgrade() -> None:
    """Replace the function; its rights and its signature stay."""
    op.execute(COMMIT)
