-- +goose Up

create table webhooks (
    account_id text not null constraint webhooks_account_fkey references accounts on delete cascade,
    webhook_id text not null,
    url text not null check (length(url) between 1 and 2000),
    description text not null default '' check (length(description) <= 500),
    -- The kinds of events that it wants.
    events text[] not null,
    -- Whether texts of messages are sent along. They are read when they are sent, never stored with the event.
    include_text boolean not null default false,
    -- For balance.low: told when the balance falls below; balance_told until it is above again.
    balance_below_micros bigint check (balance_below_micros >= 0),
    balance_told boolean not null default false,
    -- Sealed with the server's secret key. The previous secret signs beside the present one until its time.
    sealed_secret bytea not null,
    sealed_previous bytea,
    previous_until timestamptz,
    status text not null check (status in ('enabled', 'disabled')),
    -- Why the server disabled it; null when a person did, or nobody.
    disabled_reason text check (length(disabled_reason) <= 200),
    -- The first failure since the latest success.
    failing_since timestamptz,
    created_at timestamptz not null,
    constraint webhooks_pkey primary key (account_id, webhook_id)
);

-- What happened, for accounts with a webhook that wants to know: an outbox, written in the transaction of
-- what it tells. Ids and figures, never texts.
create table webhook_events (
    account_id text not null constraint webhook_events_account_fkey references accounts on delete cascade,
    event_id text not null,
    kind text not null check (length(kind) between 1 and 64),
    payload jsonb not null,
    created_at timestamptz not null,
    constraint webhook_events_pkey primary key (account_id, event_id)
);
create index webhook_events_age on webhook_events (created_at);

-- One event on its way to one webhook.
create table webhook_deliveries (
    account_id text not null,
    delivery_id text not null,
    webhook_id text not null,
    event_id text not null,
    state text not null check (state in ('pending', 'delivered', 'failed')),
    attempts integer not null default 0,
    -- Of the latest attempt: the answer's status, null without an answer; how long it took; what went wrong, in our words.
    status_code integer,
    duration_ms integer,
    problem text check (length(problem) <= 200),
    -- When the next attempt is made; null when none is to come.
    next_attempt_at timestamptz,
    created_at timestamptz not null,
    constraint webhook_deliveries_pkey primary key (account_id, delivery_id),
    constraint webhook_deliveries_once unique (account_id, event_id, webhook_id),
    constraint webhook_deliveries_webhook_fkey foreign key (account_id, webhook_id) references webhooks on delete cascade,
    constraint webhook_deliveries_event_fkey foreign key (account_id, event_id) references webhook_events on delete cascade
);
create index webhook_deliveries_latest on webhook_deliveries (account_id, webhook_id, delivery_id desc);
