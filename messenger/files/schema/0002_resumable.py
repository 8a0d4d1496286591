"""uploads that are resumed, and the segments that have arrived of them"""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = """
-- A resumable upload is a file in state 'uploading' with `received` bytes in segments, of the `size` that is
-- reserved from the start. Its touched_at lies ahead, so that the sweep for broken-off uploads (this
-- version's and the one's before) finds it when it expires.
alter table file.files add column received bigint;
alter table file.files add column upload_metadata text;
alter table file.files add constraint files_received check (received between 0 and size) not valid;  -- 0003

-- `size` bytes from the beginning of a blob (which may be longer) are the upload's from `start` on.
create table file.segments (
    file_id uuid not null references file.files on delete cascade,
    start bigint not null check (start >= 0),
    size bigint not null check (size > 0),
    blob_key text not null unique,
    primary key (file_id, start)
);

-- However a segment's row goes, its blob goes too.
create function file.note_segment_removal() returns trigger language plpgsql as $$
begin
    insert into file.removals (blob_key, due_at) values (old.blob_key, now()) on conflict do nothing;
    return null;
end
$$;
create trigger segments_removed after delete on file.segments
    for each row execute function file.note_segment_removal();
"""

GRANTS = """
grant select, insert, update, delete on file.segments to messenger_file;
"""


def upgrade() -> None:
    """Add what resumable uploads need; the version before never looks at it."""
    op.execute(TABLES)
    op.execute(GRANTS)
