-- +goose Up
-- What a plan limits beside requests; null: not limited.

alter table plans
    -- answers that one key may have running at once
    add column concurrent_streams integer check (concurrent_streams between 1 and 1000000),
    -- input and output tokens of all keys that share the plan
    add column tokens_per_minute integer check (tokens_per_minute between 1 and 1000000000);

-- How many answers of a key are running, for keys under a ceiling. A turn enters and leaves in the
-- statements that begin and end it, and abandoned turns are ended by whoever takes them over, so the
-- number cannot drift. Low fillfactor: each turn rewrites the row in place.
create table stream_gates (
    account_id text not null,
    key_id text not null,
    running integer not null default 0 check (running >= 0),
    constraint stream_gates_pkey primary key (account_id, key_id)
) with (fillfactor = 40);

-- The tokens of the last minute by second, for plans under a ceiling; buckets as in rate_windows. A
-- second counts until its end has left the window, so no sliding minute holds more than the limit.
create table token_windows (
    account_id text not null,
    bucket text not null,
    seconds bigint[] not null default '{}',
    tokens bigint[] not null default '{}',
    constraint token_windows_pkey primary key (account_id, bucket),
    constraint token_windows_pairs check (cardinality(seconds) = cardinality(tokens))
) with (fillfactor = 40);

-- What a running turn occupies, so that its end gives back exactly that.
alter table turns
    add column in_stream boolean not null default false,
    add column token_bucket text,
    add column token_second bigint,
    add column token_charge bigint;

-- Plans of many requests a minute: servers take a batch of admissions at a time and hand them out
-- themselves. By batch: its number, when the last of it has left the window (in microseconds), and its size.
create table rate_leases (
    account_id text not null,
    bucket text not null,
    last_batch bigint not null default 0,
    last_granted integer not null default 0,
    batches bigint[] not null default '{}',
    leaves bigint[] not null default '{}',
    sizes bigint[] not null default '{}',
    constraint rate_leases_pkey primary key (account_id, bucket),
    constraint rate_leases_triples check (cardinality(batches) = cardinality(leaves) and cardinality(leaves) = cardinality(sizes))
) with (fillfactor = 40);
