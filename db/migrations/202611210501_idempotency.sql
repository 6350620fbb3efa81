-- +goose Up

-- The requests that named an Idempotency-Key and acted, with where their answer is: a turn, or the
-- sealed answer of a creation, which can show a secret. A row is written together with the act.
create table idempotency_keys (
    account_id text not null constraint idempotency_keys_account_fkey references accounts on delete cascade,
    app_id text not null,
    idempotency_key text not null check (length(idempotency_key) between 1 and 255),
    -- A digest of the request; the same key with another request is refused.
    fingerprint bytea not null,
    turn_id text,
    sealed_answer bytea,
    expires_at timestamptz not null,
    constraint idempotency_keys_pkey primary key (account_id, app_id, idempotency_key)
);
create index idempotency_keys_expiry on idempotency_keys (expires_at);

-- The kind of failure, so that a repeated request fails as the first did.
alter table turns add column failure_kind text, add column idempotency_key text;
