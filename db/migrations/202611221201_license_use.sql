-- +goose Up
-- What licenses open, and what came of it.

-- Conversations that were begun with a license's key go on for as long as the license is there.
-- No foreign key: what a revoked license began stays, and is answered no more.
alter table project_conversations add column license_id bigint;

alter table project_licenses add column conversations bigint not null default 0 check (conversations >= 0);
alter table project_licenses add column queries bigint not null default 0 check (queries >= 0);
