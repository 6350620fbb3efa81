-- +goose Up
-- People who rule or use an account. Whoever has no password yet sets one with a one-time link.
create table users (
    account_id text not null constraint users_account_fkey references accounts on delete cascade,
    user_id text not null,
    email text not null check (length(email) between 3 and 254),
    name text not null check (length(name) <= 200),
    role text not null check (role in ('owner', 'admin', 'member')),
    active boolean not null default true,
    -- argon2id in its own encoding; null until it is set
    password_hash text,
    last_sign_in_at timestamptz,
    created_at timestamptz not null,
    constraint users_pkey primary key (account_id, user_id)
);

-- Look-ups that know no account yet, as key_hashes. An address belongs to one person of the installation.
create table user_emails (
    email text constraint user_emails_pkey primary key,
    account_id text not null,
    user_id text not null
);
create index user_emails_user on user_emails (account_id, user_id);

create table user_sessions (
    session_hash bytea constraint user_sessions_pkey primary key,
    account_id text not null,
    user_id text not null,
    created_at timestamptz not null,
    seen_at timestamptz not null,
    -- It ends when it was not used for a while, and in any case.
    idle_until timestamptz not null,
    expires_at timestamptz not null
);
create index user_sessions_user on user_sessions (account_id, user_id);

create table user_links (
    link_hash bytea constraint user_links_pkey primary key,
    account_id text not null,
    user_id text not null,
    expires_at timestamptz not null
);
create index user_links_user on user_links (account_id, user_id);
