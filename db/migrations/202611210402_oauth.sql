-- +goose Up
-- Clients of the OAuth 2.0 client credentials grant. Like a key, a client names an app and shares its account's plan.
create table oauth_clients (
    account_id text not null,
    client_id text not null,
    app_id text not null,
    name text not null check (length(name) between 1 and 200),
    scopes text[] not null,
    active boolean not null default true,
    last_used_at timestamptz,
    created_at timestamptz not null,
    constraint oauth_clients_pkey primary key (account_id, client_id),
    constraint oauth_clients_app_fkey foreign key (account_id, app_id) references apps on delete cascade
);

-- Look-ups that know no account yet, as key_hashes.
create table oauth_secrets (
    secret_hash bytea constraint oauth_secrets_pkey primary key,
    account_id text not null,
    client_id text not null,
    -- The end of a secret that was replaced; null for the client's present one.
    replaced_until timestamptz
);
create index oauth_secrets_client on oauth_secrets (account_id, client_id);

create table oauth_tokens (
    token_hash bytea constraint oauth_tokens_pkey primary key,
    account_id text not null,
    client_id text not null,
    scopes text[] not null,
    created_at timestamptz not null,
    expires_at timestamptz not null
);
create index oauth_tokens_client on oauth_tokens (account_id, client_id, expires_at);
