-- +goose Up
-- Secrets of the installation itself, made once, sealed with the operator's secret key.
-- They belong to no account; a distributed database keeps a copy of this table everywhere.
create table server_secrets (
    name text constraint server_secrets_pkey primary key check (length(name) between 1 and 64),
    sealed bytea not null,
    created_at timestamptz not null
);
