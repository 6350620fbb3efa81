-- +goose Up
-- Work that outlives requests and servers. A job is unfinished until finished_at is set; it is
-- claimed when run_at has come, and claiming moves run_at to the end of the lease: a job whose
-- server died comes due again by itself. account_id '' is work of the server as a whole.
create table jobs (
    account_id text not null,
    job_id text not null check (length(job_id) between 1 and 128),
    kind text not null check (length(kind) between 1 and 64),
    -- Ids and figures, never texts or secrets.
    args jsonb not null,
    -- At most one unfinished job of a kind has it; null: any number.
    unique_key text check (length(unique_key) between 1 and 200),
    attempt integer not null default 0 check (attempt >= 0),
    max_attempts integer not null check (max_attempts between 1 and 100),
    -- When it may be claimed: its time, or the end of the lease of who runs it.
    run_at timestamptz not null,
    -- The server that runs it; null while it waits.
    owner text,
    -- What the latest attempt failed with, in words that hold no texts and no secrets.
    last_error text check (length(last_error) <= 500),
    outcome text check (outcome in ('done', 'failed')),
    created_at timestamptz not null,
    finished_at timestamptz,
    constraint jobs_pkey primary key (account_id, job_id),
    constraint jobs_end_once check ((finished_at is null) = (outcome is null))
);
-- Claims: few rows at any time, whatever the table's history.
create index jobs_due on jobs (kind, run_at) where finished_at is null;
create unique index jobs_unique on jobs (account_id, kind, unique_key) where finished_at is null and unique_key is not null;
create index jobs_finished on jobs (finished_at) where finished_at is not null;
