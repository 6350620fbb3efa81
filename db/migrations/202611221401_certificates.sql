-- +goose Up
-- What the servers share to get certificates: the account with the authority, certificates with their keys, and answers to challenges,
-- each sealed with the operator's secret key. They belong to no account; a distributed database keeps a copy of this table everywhere.
create table certificates (
    name text constraint certificates_pkey primary key check (length(name) between 1 and 300),
    sealed bytea not null,
    updated_at timestamptz not null
);
