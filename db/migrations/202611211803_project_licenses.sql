-- +goose Up
-- Keys under which others may run a project, and how assistants of others could offer it.

create table project_licenses (
    account_id text not null,
    project_id bigint not null,
    license_id bigint not null check (license_id > 0),
    name text not null check (length(name) between 1 and 255),
    -- Of the key, which is shown once.
    key_hash bytea not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint project_licenses_pkey primary key (account_id, project_id, license_id),
    constraint project_licenses_project_fkey foreign key (account_id, project_id) references projects on delete cascade
);

create table project_plugins (
    account_id text not null,
    project_id bigint not null,
    plugin_id bigint not null check (plugin_id > 0),
    model_name text not null check (length(model_name) between 1 and 50),
    human_name text not null check (length(human_name) between 1 and 50),
    keywords text not null default '' check (length(keywords) <= 1000),
    description text not null default '' check (length(description) <= 1000),
    active boolean not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint project_plugins_pkey primary key (account_id, project_id),
    constraint project_plugins_project_fkey foreign key (account_id, project_id) references projects on delete cascade
);
