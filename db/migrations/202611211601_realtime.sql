-- +goose Up
-- What a realtime session has beside its conversation. Settings are JSON as package realtime writes it.
create table realtime_sessions (
    account_id text not null,
    conversation_id text not null,
    settings json not null,
    constraint realtime_sessions_pkey primary key (account_id, conversation_id),
    constraint realtime_sessions_conversation_fkey foreign key (account_id, conversation_id) references conversations on delete cascade
);

-- The items of a session: messages, calls of functions and their results.
create table realtime_items (
    account_id text not null,
    conversation_id text not null,
    item_id text not null,
    -- Where it stands among the others; there is room between two neighbours.
    rank bigint not null,
    item json not null,
    created_at timestamptz not null,
    constraint realtime_items_pkey primary key (account_id, conversation_id, item_id),
    constraint realtime_items_session_fkey foreign key (account_id, conversation_id) references realtime_sessions on delete cascade
);

-- What the sessions of an ephemeral secret begin with. The secret itself is signed and not stored.
create table realtime_secrets (
    account_id text not null constraint realtime_secrets_account_fkey references accounts on delete cascade,
    secret_id text not null,
    settings json not null,
    expires_at timestamptz not null,
    constraint realtime_secrets_pkey primary key (account_id, secret_id)
);
create index realtime_secrets_expiry on realtime_secrets (account_id, expires_at);

-- +goose Down
drop table realtime_secrets;
drop table realtime_items;
drop table realtime_sessions;
