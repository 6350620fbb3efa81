-- +goose Up
-- The agents that may answer through the key; empty: all, and the bare models.
alter table keys add column agents text[] not null default '{}';
