-- +goose Up
-- Entries are booked by the statement that ends a turn and folded soon after, by account, in the order in
-- which the fold finds them: an entry gets its number and the running total, and usage is added up by day.
-- So neither ending a turn nor reading usage adds up the book.

alter table ledger
    -- null until folded
    add column seq bigint check (seq > 0),
    -- granted minus withdrawn and spent, this entry included
    add column total_micros bigint;
create index ledger_unfolded on ledger (account_id) where seq is null;
create unique index ledger_seq on ledger (account_id, seq desc) where seq is not null;

-- Where the fold of an account stands.
create table ledger_heads (
    account_id text constraint ledger_heads_pkey primary key
        constraint ledger_heads_account_fkey references accounts on delete cascade,
    last_seq bigint not null default 0,
    total_micros bigint not null default 0
);

-- Usage of an app by UTC day and model: few rows, for the app's own report.
create table usage_days (
    account_id text not null constraint usage_days_account_fkey references accounts on delete cascade,
    app_id text not null,
    day date not null,
    model_id text not null,
    requests bigint not null,
    input_tokens bigint not null,
    output_tokens bigint not null,
    cost_micros bigint not null,
    constraint usage_days_pkey primary key (account_id, app_id, day, model_id)
);

-- The same by everything that an administrator groups by; '' is unknown.
create table usage_cells (
    account_id text not null constraint usage_cells_account_fkey references accounts on delete cascade,
    day date not null,
    app_id text not null,
    key_id text not null,
    model_id text not null,
    surface text not null,
    end_user text not null,
    requests bigint not null,
    input_tokens bigint not null,
    output_tokens bigint not null,
    cost_micros bigint not null,
    constraint usage_cells_pkey primary key (account_id, day, app_id, key_id, model_id, surface, end_user)
);
