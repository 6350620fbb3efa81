-- +goose Up

alter table turns add column end_user text check (length(end_user) between 1 and 256);
alter table ledger add column end_user text check (length(end_user) between 1 and 256);

-- What a key or an end user of the account may spend in a period. held and spent are those of the
-- period that began at period_start; the first turn of a new one starts them at nothing.
create table budgets (
    account_id text not null constraint budgets_account_fkey references accounts on delete cascade,
    budget_id text not null,
    kind text not null check (kind in ('key', 'end_user')),
    -- the key's id, or the end user's name
    subject text not null check (length(subject) between 1 and 256),
    period text not null check (period in ('day', 'month', 'total')),
    amount_micros bigint not null check (amount_micros >= 0),
    period_start timestamptz not null,
    held_micros bigint not null default 0 check (held_micros >= 0),
    spent_micros bigint not null default 0 check (spent_micros >= 0),
    created_at timestamptz not null,
    constraint budgets_pkey primary key (account_id, budget_id),
    constraint budgets_subject_key unique (account_id, subject, kind, period)
) with (fillfactor = 60);

-- The budgets that hold a turn's highest cost, each with the period that it counts in.
alter table turns
    add column budget_ids text[],
    add column budget_starts timestamptz[];
