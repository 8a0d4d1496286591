"""accounts, devices, sessions, tickets and signing keys

What leaves this schema are views, each granted by name to the services that need it, and one function: a
ticket is redeemed by deleting it, so that a view would not do.

Secrets: passwords as bcrypt hashes, refresh tokens, tickets and invites as SHA-256.
`signing_keys.private_key` and `secrets.value` are readable by this service's role alone, and are encrypted
where [auth] signing_secret is given (see messenger/auth/signing.py).
"""

from alembic import op

revision = "0001"
down_revision = None

READERS = "messenger_message, messenger_key, messenger_file"


def upgrade() -> None:
    op.execute(
        """
        -- A deleted user's row stays without a password: its name is never given out again.
        create table auth.users (
            user_id uuid primary key,
            username text collate "C" not null unique,
            password_hash text,
            created_at timestamptz not null default now(),
            disabled_at timestamptz,
            deleted_at timestamptz,
            check (username ~ '^[a-z][a-z0-9._-]{2,31}$'),
            check (deleted_at is null or password_hash is null)
        );
        create index users_deleted on auth.users (deleted_at) where deleted_at is not null;

        create table auth.devices (
            device_id uuid primary key,
            user_id uuid not null references auth.users,
            device_name text,
            created_at timestamptz not null default now(),
            last_seen_at timestamptz not null default now()
        );
        create index devices_user on auth.devices (user_id);
        create index devices_last_seen on auth.devices (last_seen_at);

        -- No reference to the device: an ended session is known for as long as a token of it may live, also
        -- when its device is gone. `token_until` is when the last access token given for it expires.
        create table auth.sessions (
            session_id uuid primary key,
            user_id uuid not null,
            device_id uuid not null,
            auth_time bigint not null,
            refresh_hash bytea not null,
            previous_hash bytea,
            spent_at timestamptz,
            expires_at timestamptz not null,
            token_until timestamptz not null,
            ended_at timestamptz,
            end_reason text,
            check ((ended_at is null) = (end_reason is null))
        );
        create unique index sessions_device on auth.sessions (device_id) where ended_at is null;
        create index sessions_user on auth.sessions (user_id) where ended_at is null;
        create index sessions_ended on auth.sessions (token_until) where ended_at is not null;
        create index sessions_expiry on auth.sessions (expires_at);

        create table auth.tickets (
            ticket_hash bytea primary key,
            user_id uuid not null,
            device_id uuid not null,
            session_id uuid not null,
            auth_time bigint not null,
            token_expires_at bigint not null,
            expires_at timestamptz not null
        );
        create index tickets_expiry on auth.tickets (expires_at);

        create table auth.invites (
            invite_hash bytea primary key,
            uses_left integer not null check (uses_left >= 0),
            created_at timestamptz not null default now(),
            expires_at timestamptz
        );

        -- A key is published from its row's creation on, signs from `active_at` until a newer one does, and
        -- is good for verifying until `verify_until` (null: no end is set).
        create table auth.signing_keys (
            kid text primary key,
            public_key bytea not null check (length(public_key) = 32),
            private_key bytea not null,
            created_at timestamptz not null default now(),
            active_at timestamptz not null default now(),
            verify_until timestamptz
        );

        create table auth.secrets (
            name text primary key,
            value bytea not null
        );

        create table auth.outbox (
            id uuid primary key,
            subject text not null,
            payload bytea not null,
            created_at timestamptz not null default now()
        );
        create index outbox_created on auth.outbox (created_at);
        """
    )
    op.execute(
        """
        create view auth.verification_keys as
            select kid, public_key from auth.signing_keys
            where verify_until is null or verify_until > now();

        create view auth.ended_sessions as
            select session_id, user_id, device_id from auth.sessions
            where ended_at is not null and token_until > now() - interval '1 minute';

        create view auth.live_users as
            select user_id from auth.users where deleted_at is null;

        create view auth.deleted_users as
            select user_id, deleted_at from auth.users where deleted_at is not null;

        -- Deleting an account deletes its devices, so this need not look at users.
        create view auth.live_devices as
            select device_id, user_id, created_at from auth.devices;

        -- The ticket's SHA-256 in, the bearer out, once: times in seconds since 1970, `expires_at` the access
        -- token's that asked for the ticket.
        create function auth.redeem_ticket(given_hash bytea)
            returns table (
                user_id uuid, device_id uuid, session_id uuid, auth_time bigint, expires_at bigint
            )
            language sql volatile security definer set search_path = ''
        as $$
            delete from auth.tickets t
            using auth.sessions s
            where t.ticket_hash = given_hash and t.expires_at > now()
                and s.session_id = t.session_id and s.ended_at is null
            returning t.user_id, t.device_id, t.session_id, t.auth_time, t.token_expires_at
        $$;
        revoke all on function auth.redeem_ticket from public;
        """
    )
    op.execute(
        f"""
        grant select, insert, update on auth.users to messenger_auth;
        grant select, insert, update, delete on auth.devices, auth.sessions to messenger_auth;
        grant select, insert, delete on auth.tickets, auth.outbox to messenger_auth;
        grant update on auth.tickets to messenger_auth;  -- for update skip locked
        grant select, insert, update on auth.signing_keys to messenger_auth;
        grant select, insert on auth.secrets to messenger_auth;
        grant select, update on auth.invites to messenger_auth;
        grant select on auth.verification_keys, auth.ended_sessions to messenger_auth, {READERS};

        grant usage on schema auth to {READERS};
        grant usage on schema auth to messenger_message_owner, messenger_key_owner, messenger_file_owner;
        grant select on auth.live_users, auth.deleted_users to {READERS};
        grant select on auth.live_devices to {READERS};
        grant select on auth.live_users, auth.live_devices
            to messenger_message_owner, messenger_key_owner, messenger_file_owner;
        grant execute on function auth.redeem_ticket to messenger_message;
        """
    )
