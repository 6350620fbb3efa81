-- +goose Up
-- How often what is offered to an account has changed: providers, models, switches, aliases. '' is what is offered to every account.
create table catalog_versions (
    account_id text not null,
    version bigint not null check (version > 0),
    constraint catalog_versions_pkey primary key (account_id)
);

-- +goose Down
drop table catalog_versions;
