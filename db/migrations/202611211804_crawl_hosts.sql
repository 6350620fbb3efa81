-- +goose Up
-- When the next request to a site may start, of all servers together. Rows of the past mean nothing and are removed.
create table crawl_hosts (
    host text constraint crawl_hosts_pkey primary key,
    next_at timestamptz not null
);
