-- +goose Up
-- The one key that seals secrets in the database, itself sealed under the operator's secret key; during a
-- rotation of that key there is a copy under the old one and one under the new one.
create table seal_keys (
    -- Names the operator's key without telling it.
    master_id text constraint seal_keys_pkey primary key check (length(master_id) between 1 and 64),
    sealed bytea not null,
    created_at timestamptz not null
);
