-- +goose Up
-- Rules of the schema: account_id comes first in every primary, unique and foreign key, so that the
-- tables can be distributed by it; times, ids and random values are parameters from Go; no triggers.
-- Money is in integer micro-units (millionths of the currency unit).

create table plans (
    name text constraint plans_pkey primary key check (name ~ '^[a-z][a-z0-9_-]{0,31}$'),
    -- null: not limited
    requests_per_minute integer check (requests_per_minute between 1 and 1000000)
);
insert into plans (name, requests_per_minute) values ('free', 5), ('pro', 100), ('unlimited', null);

create table accounts (
    account_id text constraint accounts_pkey primary key check (length(account_id) between 1 and 64),
    name text not null check (length(name) between 1 and 200),
    plan text not null constraint accounts_plan_fkey references plans (name),
    -- granted = balance + held + spent at every moment: no code path can create or lose money.
    granted_micros bigint not null default 0,
    balance_micros bigint not null default 0 check (balance_micros >= 0),
    held_micros bigint not null default 0 check (held_micros >= 0),
    spent_micros bigint not null default 0 check (spent_micros >= 0),
    created_at timestamptz not null,
    constraint accounts_conserve_money check (granted_micros = balance_micros + held_micros + spent_micros)
);

-- What a key stands for: one product of the account, with the agent that answers for it.
-- It outlives its keys, so rotating a key keeps sessions and usage.
create table apps (
    account_id text not null constraint apps_account_fkey references accounts on delete cascade,
    app_id text not null,
    name text not null check (length(name) between 1 and 200),
    agent_id text,
    created_at timestamptz not null,
    constraint apps_pkey primary key (account_id, app_id)
);

create table keys (
    account_id text not null,
    key_id text not null,
    app_id text not null,
    name text not null check (length(name) between 1 and 200),
    kind text not null check (kind in ('secret', 'publishable')),
    -- The first characters of the key, for people to tell keys apart.
    prefix text not null,
    scopes text[] not null,
    origins text[] not null,
    -- null: the account's plan, shared with its other keys
    plan text constraint keys_plan_fkey references plans (name),
    environment text not null check (environment in ('development', 'production')),
    active boolean not null default true,
    expires_at timestamptz,
    last_used_at timestamptz,
    created_at timestamptz not null,
    constraint keys_pkey primary key (account_id, key_id),
    constraint keys_app_fkey foreign key (account_id, app_id) references apps on delete cascade
);

-- The one look-up that knows no account yet stays in its own small table.
create table key_hashes (
    key_hash bytea constraint key_hashes_pkey primary key,
    account_id text not null,
    key_id text not null,
    -- The end of a text that was replaced; null for the key's present one.
    replaced_until timestamptz
);
create index key_hashes_key on key_hashes (account_id, key_id);

-- One row per limited plan in use: the account's ('account') or a key's own ('key_…').
-- admitted holds the times of the admissions that are still inside the window, in microseconds, so
-- that the limit holds in every sliding window. Low fillfactor: each admission rewrites the row in place.
create table rate_windows (
    account_id text not null,
    bucket text not null,
    admitted bigint[] not null,
    last_admitted boolean not null,
    constraint rate_windows_pkey primary key (account_id, bucket)
) with (fillfactor = 40);
