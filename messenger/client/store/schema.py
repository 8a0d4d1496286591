"""The store's tables, as steps that only go forward; `PRAGMA user_version` is the number of those taken.

`states` has the encryption core's state objects (one blob each, by kind and key). `places` remembers who
wrote at each seq of a conversation, so that a rewritten history shows; `answered` and `doubted` are for a
history that was lost (store/history.py). `journal` has the durable events that
the application has not taken yet.
"""

STEPS: tuple[str, ...] = (
    """
    create table account (name text primary key, value blob not null) without rowid;

    create table states (
        kind text not null,
        key text not null,
        value blob not null,
        primary key (kind, key)
    );

    create table people (user_id text primary key, username text not null);
    create index people_by_name on people (username);

    create table conversations (
        conversation_id text primary key,
        type text not null,
        title text not null default '',
        peer_id text,
        metadata blob,
        metadata_key blob,
        message_ttl integer,
        role text not null default 'member',
        created_at text not null default '',
        updated_at text not null default '',
        ended integer not null default 0,
        place integer,
        change_place integer,
        read_seq integer not null default 0,
        next_number integer not null default 1,
        activity integer not null default 0
    );

    create table members (
        conversation_id text not null,
        user_id text not null,
        role text not null,
        joined_at text not null,
        delivered_seq integer not null default 0,
        read_seq integer not null default 0,
        gone integer not null default 0,
        primary key (conversation_id, user_id)
    ) without rowid;

    create table messages (
        id integer primary key autoincrement,
        conversation_id text not null,
        client_id text not null,
        sender_id text not null,
        sender_device_id text not null,
        seq integer,
        kind text not null,
        text text not null default '',
        file blob,
        reply_to text,
        outgoing integer not null,
        sent_at text not null,
        received_at text not null,
        created_at text,
        state text not null,
        late integer not null default 0,
        unique (conversation_id, sender_device_id, client_id)
    );
    create index messages_by_seq on messages (conversation_id, seq);

    create table places (
        conversation_id text not null,
        seq integer not null,
        sender_device_id text not null,
        client_id text not null,
        primary key (conversation_id, seq)
    ) without rowid;

    create table outbox (
        position integer primary key autoincrement,
        client_id text not null unique,
        conversation_id text not null,
        kind text not null,
        body blob not null,
        targets blob,
        fresh integer not null default 0,
        number integer,
        sent_at text not null,
        draft blob,
        devices blob,
        attempts integer not null default 0
    );
    create index outbox_by_conversation on outbox (conversation_id, position);

    create table journal (
        position integer primary key autoincrement,
        message_id integer,
        body blob not null
    );
    """,
    """
    alter table messages add column expires_at text;
    create index messages_by_expiry on messages (expires_at) where expires_at is not null;
    """,
    """
    alter table messages add column gone_at_server integer not null default 0;
    alter table messages add column edited integer not null default 0;
    alter table messages add column reply_device text;
    alter table messages add column expires_in integer;
    alter table conversations add column expires_in integer;
    alter table conversations add column first_place integer;
    alter table conversations add column legacy integer not null default 0;
    update conversations set legacy = 1;
    update conversations set type = 'self'
        where conversation_id = (select cast(value as text) from account where name = 'own_group');
    alter table outbox add column audience blob;
    """,
    """
    alter table outbox add column again integer not null default 0;
    alter table places add column taken_at integer not null default 0;
    alter table conversations add column doubt_from integer;
    alter table conversations add column doubt_until integer;
    create table answered (
        position integer primary key,
        client_id text not null unique,
        conversation_id text not null,
        kind text not null,
        targets blob,
        number integer,
        sent_at text not null,
        draft blob not null,
        devices blob,
        again integer not null,
        answered_at integer not null
    );
    create table doubted (
        conversation_id text not null,
        sender_device_id text not null,
        client_id text not null,
        seq integer not null,
        until integer not null,
        primary key (conversation_id, sender_device_id, client_id)
    ) without rowid;
    create index doubted_by_seq on doubted (conversation_id, seq);
    """,
)
