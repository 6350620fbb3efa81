-- +goose Up
-- Conversations that were begun with a license's key: they go on for as long as the license is there.

-- No foreign key: what a revoked license began stays, and is answered no more.
alter table project_conversations add column license_id bigint;
create index project_conversations_of_license on project_conversations (account_id, project_id, license_id) where license_id is not null;
