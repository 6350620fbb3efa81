-- +goose Up
-- A withdrawal takes back what was granted and not spent; its amount is what was taken.
alter table ledger drop constraint ledger_kind_check;
alter table ledger add constraint ledger_kind_check check (kind in ('grant', 'withdrawal', 'usage'));
