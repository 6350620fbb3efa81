-- +goose Up
-- Whose owners, signed in, hold the operator's scope: the account that the server makes for itself when it starts first, and others that its command line names.
alter table accounts add column operates boolean not null default false;

-- +goose Down
alter table accounts drop column operates;
