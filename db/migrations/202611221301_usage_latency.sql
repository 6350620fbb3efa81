-- +goose Up
-- How long completed answers took, in milliseconds: to their end, and to their first piece. null is unknown.
alter table ledger
    add column took_ms bigint check (took_ms >= 0),
    add column first_ms bigint check (first_ms >= 0);

-- The same by UTC day, key and model: a row holds the answers between two quarters of a power of two, so that
-- quantiles of any sum of rows are known to a fifth. '' is unknown. Filled as the ledger is folded.
create table usage_latencies (
    account_id text not null constraint usage_latencies_account_fkey references accounts on delete cascade,
    day date not null,
    key_id text not null,
    model_id text not null,
    measure text not null check (measure in ('took', 'first')),
    -- of 2 to the power of (bucket / 4) up to the next
    bucket integer not null,
    answers bigint not null,
    sum_ms bigint not null,
    constraint usage_latencies_pkey primary key (account_id, day, key_id, model_id, measure, bucket)
);

-- +goose Down
drop table usage_latencies;
alter table ledger drop column took_ms, drop column first_ms;
