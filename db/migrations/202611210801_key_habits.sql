-- +goose Up
-- How a key is used as a rule, so that unusual use can be told: origins, networks, requests of an hour. Servers
-- write it about once a minute for the keys that were used.
create table key_habits (
    account_id text not null,
    key_id text not null,
    habit jsonb not null check (length(habit::text) <= 32768),
    constraint key_habits_pkey primary key (account_id, key_id),
    constraint key_habits_key_fkey foreign key (account_id, key_id) references keys on delete cascade
);
