-- +goose Up

-- How many days conversations are kept after their latest message; null: for good.
alter table accounts add column retention_days integer check (retention_days between 1 and 36500);

-- Archives of what is stored about an account, an app, a conversation or an end user. The archive itself is a blob.
create table exports (
    account_id text not null constraint exports_account_fkey references accounts on delete cascade,
    export_id text not null,
    scope text not null check (scope in ('account', 'app', 'conversation', 'end_user')),
    -- The id of the app or conversation, or the end user's name; '' for the account, and when an erasure took the name.
    subject text not null check (length(subject) <= 256),
    state text not null check (state in ('waiting', 'ready', 'failed', 'expired')),
    records bigint not null default 0,
    bytes bigint not null default 0,
    created_at timestamptz not null,
    finished_at timestamptz,
    expires_at timestamptz,
    constraint exports_pkey primary key (account_id, export_id)
);
create index exports_ready on exports (expires_at) where state = 'ready';

create table erasures (
    account_id text not null constraint erasures_account_fkey references accounts on delete cascade,
    erasure_id text not null,
    scope text not null check (scope in ('account', 'app', 'conversation', 'end_user')),
    subject text not null check (length(subject) <= 256),
    state text not null check (state in ('waiting', 'done', 'failed')),
    -- How many it removed.
    conversations bigint not null default 0,
    blobs bigint not null default 0,
    created_at timestamptz not null,
    finished_at timestamptz,
    constraint erasures_pkey primary key (account_id, erasure_id)
);

-- What retention looks for.
create index conversations_by_age on conversations (account_id, last_message_at);
