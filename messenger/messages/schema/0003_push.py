"""where the devices are that want to be woken, and what is due to them"""

from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = """
create table message.push (
    device_id uuid primary key,
    user_id uuid not null,
    session_id uuid not null,                -- it goes with its session
    endpoint text not null,
    p256dh bytea not null,
    auth bytea not null,
    since timestamptz not null default now(), -- what was committed before wakes nobody
    woken_at timestamptz,                    -- the last wake-up since the device was connected
    due_at timestamptz,                      -- set: a wake-up is to be sent then (again, if one is under way)
    tries integer not null default 0
) with (fillfactor = 80);
create index push_of_user on message.push (user_id);
create index push_due on message.push (due_at) where due_at is not null;
"""

GRANTS = """
grant select, insert, update, delete on message.push to messenger_message;
"""


def upgrade() -> None:
    """Create the table."""
    for part in (TABLES, GRANTS):
        op.execute(part)
