"""identity keys, prekeys and what was claimed

All of it is public keys and signatures. A device is published once it has an identity key and a signed
prekey and, if its user has an account key, a certificate; and as long as auth knows it: every statement that
shows a device goes through `key.published_devices`.
"""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        -- `highest_*` are the highest key ids that the device has ever used, by kind.
        create table key.devices (
            device_id uuid primary key,
            user_id uuid not null,
            identity_key bytea check (length(identity_key) = 32),
            signed_prekey_id integer,
            signed_prekey bytea check (length(signed_prekey) = 32),
            signed_prekey_signature bytea check (length(signed_prekey_signature) = 64),
            signed_prekey_created_at timestamptz,
            highest_one_time_id integer,
            highest_kem_id integer,
            certificate bytea check (length(certificate) = 64)
        );
        create index devices_user on key.devices (user_id);

        create table key.accounts (
            user_id uuid primary key,
            account_key bytea not null check (length(account_key) = 32),
            created_at timestamptz not null default now()
        );

        -- A row is deleted by the claim that hands it out.
        create table key.one_time_prekeys (
            device_id uuid not null references key.devices on delete cascade,
            key_id integer not null,
            public_key bytea not null check (length(public_key) = 32),
            primary key (device_id, key_id)
        );

        create table key.kem_prekeys (
            device_id uuid not null references key.devices on delete cascade,
            key_id integer not null,
            public_key bytea not null check (length(public_key) = 1568),
            signature bytea not null check (length(signature) = 64),
            primary key (device_id, key_id)
        );

        create table key.last_resort_prekeys (
            device_id uuid primary key references key.devices on delete cascade,
            key_id integer not null,
            public_key bytea not null check (length(public_key) = 1568),
            signature bytea not null check (length(signature) = 64)
        );

        -- One row for each handing-out of the last hour, so that "20 an hour" is exactly that.
        create table key.claims (
            device_id uuid not null,
            asker_id uuid not null,
            claimed_at timestamptz not null default now()
        );
        create index claims_device on key.claims (device_id, claimed_at);
        create index claims_time on key.claims using brin (claimed_at);

        create table key.outbox (
            id uuid primary key,
            subject text not null,
            payload bytea not null,
            created_at timestamptz not null default now()
        );
        create index outbox_created on key.outbox (created_at);

        create view key.published_devices as
            select d.user_id, d.device_id
            from key.devices d
            join auth.live_devices l on l.device_id = d.device_id
            left join key.accounts a on a.user_id = d.user_id
            where d.identity_key is not null and d.signed_prekey is not null
                and (a.user_id is null or d.certificate is not null);

        grant select, insert, update, delete on key.devices to messenger_key;
        grant select, insert, update, delete on key.accounts to messenger_key;
        grant select, insert, delete on key.one_time_prekeys, key.kem_prekeys to messenger_key;
        -- for update skip locked
        grant update on key.one_time_prekeys, key.kem_prekeys, key.claims to messenger_key;
        grant select, insert, update, delete on key.last_resort_prekeys to messenger_key;
        grant select, insert, delete on key.claims, key.outbox to messenger_key;
        grant select on key.published_devices to messenger_key, messenger_message;
        grant usage on schema key to messenger_message, messenger_message_owner;
        grant select on key.published_devices to messenger_message_owner;
        """
    )
