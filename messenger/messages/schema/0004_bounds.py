"""who is blocked, by the one who is; what a user prefers; and rights that the removal of accounts needs

`blocked_by` says the same as `blocks`, the other way round and by time: a socket that opens needs both, and
every instance looks for new ones every few seconds. A trigger keeps it, so that the version before this one,
which knows nothing of it, keeps it too.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

TABLES = """
create table message.blocked_by (
    blocked uuid not null,
    blocker uuid not null,
    created_at timestamptz(3) not null,
    primary key (blocked, blocker)
);
create index blocked_by_age on message.blocked_by (created_at);
create table message.preferences (
    user_id uuid primary key,
    groups text not null check (groups in ('anyone', 'contacts')) -- who may add the user to groups
);
"""

MIRROR = """
create function message.mirror_block() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        insert into message.blocked_by (blocked, blocker, created_at)
        values (new.blocked, new.blocker, new.created_at) on conflict do nothing;
    else
        delete from message.blocked_by where blocked = old.blocked and blocker = old.blocker;
    end if;
    return null;
end
$$;
create trigger mirror_block after insert or delete on message.blocks
    for each row execute function message.mirror_block();
insert into message.blocked_by (blocked, blocker, created_at)
    select blocked, blocker, created_at from message.blocks on conflict do nothing;
"""

# An account that is deleted leaves no id behind but what others' history is made of.
FORGETTING = """
grant update (actor_id) on message.changes to messenger_message;
"""

GRANTS = """
grant select, insert, delete on message.blocked_by to messenger_message;
grant select, insert, update, delete on message.preferences to messenger_message;
"""

# Where nobody may upload into.
VIEWS = """
create view message.blocked_conversations as
    select conversation_id from message.conversations where blocked;
grant select on message.blocked_conversations to messenger_file;
"""


def upgrade() -> None:
    """Create the tables, the trigger and the view."""
    for part in (TABLES, MIRROR, FORGETTING, GRANTS, VIEWS):
        op.execute(part)
