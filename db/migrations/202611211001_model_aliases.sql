-- +goose Up

-- Names that clients send, and the models that they mean; account_id '' is every account's.
create table model_aliases (
    account_id text not null,
    -- A name, or the beginning of one and a '*'.
    alias text not null check (length(alias) between 1 and 200),
    model_id text not null check (length(model_id) between 1 and 200),
    created_at timestamptz not null,
    constraint model_aliases_pkey primary key (account_id, alias)
);
