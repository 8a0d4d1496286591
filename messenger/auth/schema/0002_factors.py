"""second factors, recovery codes, login challenges, and what administrators did

Only adds, so that the code before it goes on working; that code asks for no second factor, though, so users
are not told to set one up before all its instances are gone.

Secrets: a factor's `secret` is sealed as the signing keys are (messenger/auth/signing.py); recovery codes and
challenges are stored as SHA-256.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        -- A factor is asked for once it is confirmed. `last_step` is TOTP's: the latest step whose code was
        -- served. Another kind (WebAuthn) may have several rows for a user.
        create table auth.factors (
            factor_id uuid primary key,
            user_id uuid not null references auth.users,
            kind text not null,
            secret bytea not null,
            last_step bigint not null default -1,
            created_at timestamptz not null default now(),
            confirmed_at timestamptz
        );
        create index factors_user on auth.factors (user_id);
        create unique index factors_totp on auth.factors (user_id) where kind = 'totp';

        -- A code that was used is deleted.
        create table auth.recovery_codes (
            user_id uuid not null references auth.users,
            code_hash bytea not null,
            primary key (user_id, code_hash)
        );

        -- A login whose password held. `credential` is SHA-256 of the password's hash at that time.
        create table auth.challenges (
            challenge_hash bytea primary key,
            user_id uuid not null references auth.users,
            credential bytea not null,
            device_id uuid,
            device_name text,
            tries_left integer not null check (tries_left >= 0),
            expires_at timestamptz not null
        );
        create index challenges_user on auth.challenges (user_id);
        create index challenges_expiry on auth.challenges (expires_at);

        -- Written in the transaction of what it tells of; nobody may change or delete a row.
        create table auth.audit (
            audit_id bigint generated always as identity primary key,
            at timestamptz not null default now(),
            actor text not null,
            action text not null,
            subject text not null
        );
        """
    )
    op.execute(
        """
        grant select, insert, update, delete on auth.factors, auth.challenges to messenger_auth;
        grant select, insert, delete on auth.recovery_codes to messenger_auth;
        grant select, insert on auth.audit to messenger_auth;
        grant insert, delete on auth.invites to messenger_auth;
        grant delete on auth.signing_keys to messenger_auth;
        """
    )
