-- +goose Up
-- Below what an account is warned, 0 never; told until the balance is above it again. One threshold an
-- account: webhooks had theirs, of which the highest stays.
alter table accounts
    add column balance_low_micros bigint not null default 0 check (balance_low_micros >= 0),
    add column balance_told boolean not null default false;

update accounts a
set balance_low_micros = w.balance_below_micros, balance_told = w.balance_told
from (
    select distinct on (account_id) account_id, balance_below_micros, balance_told
    from webhooks
    where balance_below_micros is not null and 'balance.low' = any(events)
    order by account_id, balance_below_micros desc
) w
where w.account_id = a.account_id;

alter table webhooks drop column balance_below_micros, drop column balance_told;
