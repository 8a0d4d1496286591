"""signed device lists in place of certificates, and sealed things of a user's own

Nothing is carried over: an old account key has signed no list, and what it certified one by one can't be
turned into one here. A user without a list has its devices published as before; its first list judges them.

Only adds, so that the code before it goes on working: `key.accounts`, the certificates and
`key.claim_bundles` are of no use to anybody once its last instance is gone.
"""

from importlib import import_module

from alembic import op

revision = "0004"
down_revision = "0003"

_claims = import_module("messenger.keys.schema.0003_claims")
CLAIM: str = (
    _claims.CLAIM.replace("key.claim_bundles", "key.claim_listed_bundles")
    .replace("account_key bytea, certificate bytea, low_event", "list_version bigint, low_event")
    .replace("select d.*, a.account_key\n", "select d.*, a.version as list_version\n")
    .replace("left join key.accounts a on", "left join key.lists a on")
    .replace(
        "a.account_key, case when a.account_key is not null then a.certificate end,\n        w.event_id",
        "a.list_version, w.event_id",
    )
)


def upgrade() -> None:
    op.execute(
        """
        -- What the account key has signed; a version is never given twice.
        create table key.lists (
            user_id uuid primary key,
            account_key bytea not null check (length(account_key) = 32),
            version bigint not null check (version > 0),
            signature bytea not null check (length(signature) = 64),
            created_at timestamptz not null default now()
        );
        create table key.listed_devices (
            user_id uuid not null references key.lists on delete cascade,
            device_id uuid not null,
            identity_key bytea not null check (length(identity_key) = 32),
            primary key (user_id, device_id)
        );

        create or replace view key.published_devices as
            select d.user_id, d.device_id
            from key.devices d
            join auth.live_devices l on l.device_id = d.device_id
            left join key.lists s on s.user_id = d.user_id
            left join key.listed_devices e on e.user_id = d.user_id and e.device_id = d.device_id
            where d.identity_key is not null and d.signed_prekey is not null
                and (s.user_id is null or e.identity_key = d.identity_key);

        -- `content` is sealed by the client. Versions are times, so that none comes again after
        -- a deletion.
        create table key.vault (
            user_id uuid not null,
            name text collate "C" not null check (length(name) between 1 and 64),
            version bigint not null,
            content bytea not null check (length(content) <= 65536),
            primary key (user_id, name)
        );

        grant select, insert, update, delete on key.lists, key.listed_devices, key.vault to messenger_key;
        """
    )
    op.execute(CLAIM)
