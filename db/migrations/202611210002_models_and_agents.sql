-- +goose Up
-- account_id '' marks what the operator offers to every account.

create table providers (
    account_id text not null,
    provider_id text not null,
    name text not null check (length(name) between 1 and 200),
    kind text not null check (kind in ('builtin', 'openai')),
    base_url text not null default '' check (length(base_url) <= 2000),
    -- Sealed with the server's secret key; null when the upstream wants none.
    sealed_key bytea,
    created_at timestamptz not null,
    constraint providers_pkey primary key (account_id, provider_id)
);

create table models (
    account_id text not null,
    model_id text not null check (length(model_id) between 1 and 200),
    provider_id text not null,
    kind text not null check (kind in ('llm', 'sd', 'embedding')),
    name text not null check (length(name) between 1 and 200),
    -- What the provider calls it.
    upstream_name text not null,
    context_tokens integer not null check (context_tokens > 0),
    max_output_tokens integer not null check (max_output_tokens > 0),
    input_micros_per_1k bigint not null default 0 check (input_micros_per_1k between 0 and 1000000000),
    output_micros_per_1k bigint not null default 0 check (output_micros_per_1k between 0 and 1000000000),
    image_micros bigint not null default 0 check (image_micros between 0 and 1000000000),
    -- The lowest ranked enabled llm is the default where a request names no model.
    rank integer not null,
    enabled boolean not null default true,
    created_at timestamptz not null,
    constraint models_pkey primary key (account_id, model_id),
    constraint models_provider_fkey foreign key (account_id, provider_id) references providers on delete cascade
);

create table agents (
    account_id text not null constraint agents_account_fkey references accounts on delete cascade,
    agent_id text not null,
    name text not null check (length(name) between 1 and 200),
    appearance_prompt text not null,
    personality_prompt text not null,
    description text not null,
    age double precision check (age >= 18),
    model_id text,
    sd_model_id text,
    created_at timestamptz not null,
    constraint agents_pkey primary key (account_id, agent_id)
);
