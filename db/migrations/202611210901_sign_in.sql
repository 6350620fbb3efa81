-- +goose Up
-- How often an e-mail address or a network tried to sign in: as the time at which its allowance is
-- full again. Like user_emails it knows no account. Names are digests, and rows that have lapsed are removed.
create table sign_in_guesses (
    bucket bytea constraint sign_in_guesses_pkey primary key,
    full_at timestamptz not null
);

-- Who tries to sign in is nobody yet.
alter table audit_events drop constraint audit_events_actor_kind_check;
alter table audit_events add constraint audit_events_actor_kind_check
    check (actor_kind in ('key', 'client', 'user', 'command', 'system', 'anonymous'));
