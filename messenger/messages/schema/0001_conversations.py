"""conversations, members, messages, changes and each device's place in them"""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
create table message.conversations (
    conversation_id uuid primary key,
    type text not null check (type in ('direct', 'group')),
    pair text unique,                        -- direct: both user ids, sorted, with a space between
    created_by uuid not null,
    client_id uuid,
    metadata bytea,
    message_ttl integer check (message_ttl between 1 and 31536000),
    created_at timestamptz(3) not null,
    updated_at timestamptz(3) not null,
    ended_at timestamptz(3),
    blocked boolean not null default false,  -- direct: a block stands between the two
    last_seq bigint not null default 0,
    last_change bigint not null default 0,
    member_count integer not null,
    unique (created_by, client_id),
    check ((type = 'direct') = (pair is not null))
) with (fillfactor = 70);                    -- last_seq moves with each message: let it move in place

create table message.members (
    conversation_id uuid not null,
    user_id uuid not null,
    role text not null check (role in ('owner', 'admin', 'member')),
    joined_at timestamptz(3) not null,
    first_seq bigint not null,               -- sight begins here, and
    first_change bigint not null,            -- here
    left_seq bigint,                         -- set: no member any more; kept for its devices to learn of it
    left_change bigint,
    delivered_seq bigint not null,
    read_seq bigint not null,
    wrote boolean not null default false,    -- has ever written here: its presence is for the peer to see
    primary key (conversation_id, user_id)
) with (fillfactor = 80);
create index members_of_user on message.members (user_id, conversation_id);
create index members_by_joining on message.members (joined_at);

create table message.messages (
    conversation_id uuid not null,
    seq bigint not null,
    sender_id uuid,
    sender_device_id uuid not null,
    client_id uuid not null,
    kind text not null,
    content bytea,
    envelope_devices uuid[],
    envelopes bytea[],
    created_at timestamptz(3) not null,
    expires_at timestamptz(3),
    deleted boolean not null default false,
    primary key (conversation_id, seq),
    unique (conversation_id, sender_device_id, client_id)
);
-- Ciphertext does not compress: trying costs time and gains nothing.
alter table message.messages alter column content set storage external;
alter table message.messages alter column envelopes set storage external;
-- What expires is to be off the disk within the hour: vacuum comes by early.
alter table message.messages set (
    autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_scale_factor = 0.02
);
create index messages_to_expire on message.messages (expires_at)
    where expires_at is not null and (content is not null or envelopes is not null);

create table message.changes (
    conversation_id uuid not null,
    change bigint not null,
    at_seq bigint not null,
    created_at timestamptz(3) not null,
    actor_id uuid,
    event text not null,
    details jsonb not null,
    primary key (conversation_id, change)
);

create table message.places (
    device_id uuid not null,
    conversation_id uuid not null,
    seq bigint not null,
    change bigint not null,
    primary key (device_id, conversation_id)
) with (fillfactor = 70);

-- Which device is seen on which instance; an instance that does not renew its row has crashed.
create table message.instances (
    instance_id uuid primary key,
    alive_until timestamptz not null
);
create table message.presence (
    device_id uuid primary key,
    user_id uuid not null,
    instance_id uuid not null,
    status text not null check (status in ('online', 'away'))
) with (fillfactor = 70);
create index presence_of_user on message.presence (user_id);
create index presence_of_instance on message.presence (instance_id);

create table message.blocks (
    blocker uuid not null,
    blocked uuid not null,
    created_at timestamptz(3) not null default now(),
    primary key (blocker, blocked)
);

create table message.outbox (
    id uuid primary key,
    subject text not null,
    payload bytea not null,
    created_at timestamptz not null default now()
);
create index outbox_by_age on message.outbox (created_at);
"""

# The one place where messages get their numbers. The conversations are locked first, in id order; what
# another transaction holds is left for the next batch, unless `wait` is said. The second statement sees all
# that was committed before the locks were had: memberships, repeats and last_seq can't move under it.
COMMIT = """
create function message.commit_drafts(
    event_id uuid, wait boolean,
    ids uuid[], users uuid[], devices uuid[], clients uuid[], kinds text[], contents bytea[],
    envelope_drafts integer[], envelope_devices uuid[], envelope_contents bytea[]
) returns table (
    draft integer, outcome text, seq bigint, change bigint,
    created_at timestamptz(3), expires_at timestamptz(3)
) language plpgsql as $$
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
        left join message.conversations c on c.conversation_id = d.conversation_id
        left join message.members m on m.conversation_id = d.conversation_id
            and m.user_id = d.user_id and m.left_seq is null
        left join message.messages r on r.conversation_id = d.conversation_id
            and r.sender_device_id = d.device_id and r.client_id = d.client_id
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

GRANTS = """
grant select, insert, update on message.conversations, message.members, message.messages, message.places
    to messenger_message;
grant select, insert on message.changes to messenger_message;
grant select, insert, delete on message.blocks, message.outbox to messenger_message;
grant delete on message.places, message.members to messenger_message;
grant select, insert, update, delete on message.instances, message.presence to messenger_message;
grant execute on function message.commit_drafts to messenger_message;
"""

# What the file service may know: who is in which conversation, and how long its messages live.
VIEWS = """
create view message.memberships as
    select conversation_id, user_id from message.members where left_seq is null;
create view message.conversation_ttls as
    select conversation_id, message_ttl from message.conversations;
grant usage on schema message to messenger_file;
grant select on message.memberships, message.conversation_ttls to messenger_file;
"""


def upgrade() -> None:
    """Create the first schema."""
    for part in (TABLES, COMMIT, GRANTS, VIEWS):
        op.execute(part)
