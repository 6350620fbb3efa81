-- +goose Up
-- What agents of flows may call: an HTTP request, or the tools of an MCP server.
create table tools (
    account_id text not null constraint tools_account_fkey references accounts on delete cascade,
    tool_id text not null,
    name text not null check (length(name) between 1 and 64),
    description text not null,
    kind text not null check (kind in ('http', 'mcp')),
    approval text not null check (approval in ('never', 'always')),
    -- Where it is and how it is asked; no secrets.
    target jsonb not null,
    -- What models are offered: names, descriptions and schemas of arguments.
    functions jsonb not null,
    -- Names of the headers that go along, and their values, sealed with the server's secret key; null without any.
    header_names text[] not null,
    sealed_headers bytea,
    refreshed_at timestamptz not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint tools_pkey primary key (account_id, tool_id),
    constraint tools_name_key unique (account_id, name)
);
