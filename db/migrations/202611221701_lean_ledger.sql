-- +goose Up
-- Usage is read from sums by day; nobody looks entries up by app and time any more.
drop index ledger_app_time;
-- An entry is written by the statement that updates its account, and accounts are
-- never deleted: each turn paid for a look at what it had just found.
alter table ledger drop constraint ledger_account_fkey;

-- +goose Down
alter table ledger add constraint ledger_account_fkey foreign key (account_id) references accounts on delete cascade;
create index ledger_app_time on ledger (account_id, app_id, created_at) where kind = 'usage';
