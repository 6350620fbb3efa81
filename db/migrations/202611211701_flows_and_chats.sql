-- +goose Up
-- Flows: graphs of agents. What each version said stays, because chats show which one they ran.
create table flows (
    account_id text not null references accounts on delete cascade,
    flow_id text not null,
    name text not null,
    description text not null,
    version bigint not null check (version >= 1),
    definition jsonb not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint flows_pkey primary key (account_id, flow_id)
);
create table flow_versions (
    account_id text not null,
    flow_id text not null,
    version bigint not null check (version >= 1),
    name text not null,
    description text not null,
    definition jsonb not null,
    created_at timestamptz not null,
    constraint flow_versions_pkey primary key (account_id, flow_id, version),
    constraint flow_versions_flow_fkey foreign key (account_id, flow_id) references flows on delete cascade
);

-- A chat runs a flow. Every change of it is a compare-and-set of its version: of two that saw the same one, one wins.
create table chats (
    account_id text not null references accounts on delete cascade,
    chat_id text not null,
    app_id text not null,
    name text not null,
    from_type text not null check (from_type in ('flow', 'template')),
    from_id text not null,
    status text not null check (status in ('ready', 'running', 'wait_for_human_input', 'completed', 'error')),
    reason text not null,
    prompt text not null,
    version bigint not null,
    run bigint not null,
    -- Who pays for the run: a key, or an OAuth client.
    payer_id text not null,
    payer_kind text not null,
    -- What the run runs, also after the flow has changed or gone.
    flow_version bigint not null,
    definition jsonb not null,
    state jsonb not null,
    -- The turn that makes the present step's answer, and how often the step has failed.
    turn_id text not null,
    attempt int not null,
    last_message bigint not null,
    last_event bigint not null,
    -- When a running run is over; null while it does not run.
    deadline_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint chats_pkey primary key (account_id, chat_id)
);
create index chats_deadline on chats (deadline_at) where deadline_at is not null;

create table chat_messages (
    account_id text not null,
    chat_id text not null,
    seq bigint not null,
    message_id text not null,
    run bigint not null,
    type text not null check (type in ('user', 'assistant')),
    sender text not null,
    receiver text not null,
    content text not null,
    created_at timestamptz not null,
    constraint chat_messages_pkey primary key (account_id, chat_id, seq),
    constraint chat_messages_chat_fkey foreign key (account_id, chat_id) references chats on delete cascade
);

-- What followers of a chat are told, in order.
create table chat_events (
    account_id text not null,
    chat_id text not null,
    seq bigint not null,
    kind text not null,
    payload jsonb not null,
    message_seq bigint,
    created_at timestamptz not null,
    constraint chat_events_pkey primary key (account_id, chat_id, seq),
    constraint chat_events_chat_fkey foreign key (account_id, chat_id) references chats on delete cascade
);

-- The turns of a chat, whose logs go with it.
create table chat_turns (
    account_id text not null,
    chat_id text not null,
    turn_id text not null,
    constraint chat_turns_pkey primary key (account_id, chat_id, turn_id),
    constraint chat_turns_chat_fkey foreign key (account_id, chat_id) references chats on delete cascade
);
