"""files, who may fetch them, and the blobs that have to go"""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
-- A row stands before its blob does: 'uploading' reserves the quota and is seen by nobody; `size` is then
-- what is reserved. What is deleted here leaves a row in removals until S3 has forgotten the blob.
create table file.files (
    file_id uuid primary key,
    uploader_id uuid not null,
    state text not null check (state in ('uploading', 'stored')),
    blob_key text not null unique,
    upload_id text,                            -- of a multipart upload that may have left parts in S3
    size bigint not null check (size >= 0),
    sha256 bytea check (octet_length(sha256) = 32),
    metadata bytea check (octet_length(metadata) <= 4096),
    conversations integer not null default 0,  -- rows in shares
    created_at timestamptz(3) not null default now(),
    expires_at timestamptz(3),
    touched_at timestamptz not null default now(),
    check ((state = 'stored') = (sha256 is not null))
);
create index files_of_uploader on file.files (uploader_id);
create index files_uploading on file.files (touched_at) where state = 'uploading';
create index files_to_expire on file.files (expires_at) where state = 'stored' and expires_at is not null;

create table file.shares (
    file_id uuid not null references file.files on delete cascade,
    conversation_id uuid not null,
    checked_at timestamptz not null default now(),  -- when somebody was last seen in the conversation
    primary key (file_id, conversation_id)
);
create index shares_to_check on file.shares (checked_at);

create table file.usage (
    user_id uuid primary key,
    bytes bigint not null check (bytes >= 0),
    files integer not null check (files >= 0)
) with (fillfactor = 70);

create table file.removals (
    blob_key text primary key,
    upload_id text,
    due_at timestamptz not null
);
create index removals_due on file.removals (due_at);

create table file.outbox (
    id uuid primary key,
    subject text not null,
    payload bytea not null,
    created_at timestamptz not null default now()
);
create index outbox_by_age on file.outbox (created_at);
"""

GRANTS = """
grant select, insert, update, delete on file.files, file.shares, file.usage, file.removals to messenger_file;
grant select, insert, delete on file.outbox to messenger_file;
"""


def upgrade() -> None:
    """Create the first schema."""
    op.execute(TABLES)
    op.execute(GRANTS)
