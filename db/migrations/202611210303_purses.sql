-- +goose Up
-- An account's money lies in its row in accounts and, while many turns spend it at once, in further
-- purses, so that they need not wait for one row's lock. Each row keeps granted = balance + held +
-- spent for itself: money moves between rows only together with what was granted of it. What an account
-- has is the sum over its rows. Low fillfactor: turns rewrite the rows in place.
create table purses (
    account_id text not null constraint purses_account_fkey references accounts on delete cascade,
    purse smallint not null check (purse > 0),
    granted_micros bigint not null default 0,
    balance_micros bigint not null default 0 check (balance_micros >= 0),
    held_micros bigint not null default 0 check (held_micros >= 0),
    spent_micros bigint not null default 0 check (spent_micros >= 0),
    constraint purses_pkey primary key (account_id, purse),
    constraint purses_conserve_money check (granted_micros = balance_micros + held_micros + spent_micros)
) with (fillfactor = 20);

-- Where the turn's hold lies; 0 is the account's own row.
alter table turns add column purse smallint not null default 0;
