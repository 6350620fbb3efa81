-- +goose Up
-- What administrators did. account_id '' holds what concerns the whole server. It outlives keys and
-- people, so that it can be read when they are gone; it goes with its account.
create table audit_events (
    account_id text not null,
    event_id text not null,
    -- noun.verb, for example key.created
    action text not null check (length(action) between 3 and 64),
    -- The id of what was acted on.
    target text not null check (length(target) <= 300),
    actor_kind text not null check (actor_kind in ('key', 'client', 'user', 'command', 'system')),
    actor_id text not null check (length(actor_id) <= 300),
    -- Where the request came from; '' when there was none.
    address text not null check (length(address) <= 64),
    request_id text not null check (length(request_id) <= 64),
    -- What changed: names and figures, never a secret or a text of a conversation.
    details jsonb not null,
    created_at timestamptz not null,
    constraint audit_events_pkey primary key (account_id, event_id)
);
