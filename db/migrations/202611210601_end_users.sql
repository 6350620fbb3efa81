-- +goose Up

-- Whom a session was begun for: the end user of a token, or an anonymous
-- visitor. Null: nobody in particular; only secret keys reach it.
alter table conversations add column end_user text;
