-- +goose Up

create table conversations (
    account_id text not null constraint conversations_account_fkey references accounts on delete cascade,
    conversation_id text not null,
    surface text not null,
    app_id text not null,
    agent_id text,
    model_id text,
    title text not null,
    system_prompt text not null,
    -- The number of the newest message; messages count from 1 without gaps.
    last_seq bigint not null,
    input_tokens bigint not null default 0,
    output_tokens bigint not null default 0,
    -- The beginning of the newest answer.
    preview text not null default '',
    created_at timestamptz not null,
    last_message_at timestamptz not null,
    constraint conversations_pkey primary key (account_id, conversation_id)
);
-- Sessions of an app, the latest first.
create index conversations_by_app on conversations (account_id, surface, app_id, last_message_at desc, conversation_id desc);
-- Conversations of a surface in the order of their ids, which is the order of their making.
create index conversations_by_surface on conversations (account_id, surface, conversation_id desc);

create table messages (
    account_id text not null,
    conversation_id text not null,
    seq bigint not null check (seq > 0),
    message_id text not null,
    role text not null check (role in ('system', 'user', 'assistant')),
    content text not null,
    thought text not null default '',
    citations jsonb,
    turn_id text,
    model_id text,
    created_at timestamptz not null,
    constraint messages_pkey primary key (account_id, conversation_id, seq),
    constraint messages_conversation_fkey foreign key (account_id, conversation_id) references conversations on delete cascade
);

-- One answer being made or made. It outlives its conversation, because money refers to it.
create table turns (
    account_id text not null,
    turn_id text not null,
    surface text not null,
    conversation_id text,
    app_id text not null,
    key_id text not null,
    model_id text not null,
    state text not null check (state in ('running', 'completed', 'failed', 'cancelled')),
    -- The server that runs it. Only that one may end it while its lease lasts.
    owner text not null,
    lease_until timestamptz not null,
    held_micros bigint not null check (held_micros >= 0),
    cost_micros bigint not null default 0 check (cost_micros >= 0),
    input_tokens bigint not null default 0,
    output_tokens bigint not null default 0,
    estimated boolean not null default false,
    -- The last number of its event log.
    last_event bigint not null default 0,
    -- What the request asked of its stream, in the surface's own terms.
    options jsonb not null default '{}',
    -- Somebody asked for its end; the owner obeys.
    cancel_requested boolean not null default false,
    failure text,
    created_at timestamptz not null,
    ended_at timestamptz,
    constraint turns_pkey primary key (account_id, turn_id),
    constraint turns_end_once check ((state = 'running') = (ended_at is null))
);
create index turns_of_conversation on turns (account_id, conversation_id) where conversation_id is not null;
-- The reaper's look-up; few rows at any time.
create index turns_running on turns (lease_until) where state = 'running';

-- What readers of a stream saw, several events a row: a row a flush instead of a row an event.
create table turn_events (
    account_id text not null,
    turn_id text not null,
    first_event bigint not null check (first_event > 0),
    events jsonb not null,
    constraint turn_events_pkey primary key (account_id, turn_id, first_event),
    constraint turn_events_turn_fkey foreign key (account_id, turn_id) references turns on delete cascade
);

-- The book: append-only, no text, kept when conversations go. Usage is read from it.
create table ledger (
    account_id text not null constraint ledger_account_fkey references accounts on delete cascade,
    entry_id text not null,
    kind text not null check (kind in ('grant', 'usage')),
    -- grant: what was given; usage: what was spent. Never negative.
    amount_micros bigint not null check (amount_micros >= 0),
    turn_id text,
    app_id text,
    key_id text,
    model_id text,
    surface text,
    input_tokens bigint not null default 0,
    output_tokens bigint not null default 0,
    -- Tokens counted by us because the provider reported none.
    estimated boolean not null default false,
    created_at timestamptz not null,
    constraint ledger_pkey primary key (account_id, entry_id)
);
-- Exactly one usage entry a turn.
create unique index ledger_turn on ledger (account_id, turn_id) where kind = 'usage';
create index ledger_app_time on ledger (account_id, app_id, created_at) where kind = 'usage';
