-- +goose Up
-- The projects surface: agents with content of their own, whose ids are integers.

create table projects (
    account_id text not null constraint projects_account_fkey references accounts on delete cascade,
    project_id bigint not null check (project_id > 0),
    name text not null check (length(name) between 1 and 255),
    -- The site or sitemap that it was made from, as it was given.
    sitemap_path text check (length(sitemap_path) <= 2000),
    -- What it answers from.
    collection_id text not null,
    -- Uploaded files stay after they were indexed.
    keeps_files boolean not null default true,
    -- Whoever has the slug may chat.
    shared boolean not null default false,
    slug text check (length(slug) = 32),
    licensed boolean not null default false,
    -- How it looks and answers: what differs from the defaults.
    settings jsonb not null default '{}',
    -- Conversations go so many days after their latest message; null keeps them.
    retention_days integer check (retention_days > 0),
    -- The number of who made it.
    created_by bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint projects_pkey primary key (account_id, project_id)
);

-- What a conversation is on this surface beside what all conversations are.
create table project_conversations (
    account_id text not null,
    session_id text not null,
    project_id bigint not null,
    number bigint not null check (number > 0),
    -- The number of who began it; null for a visitor whom nobody named.
    created_by bigint,
    updated_at timestamptz not null,
    constraint project_conversations_pkey primary key (account_id, session_id),
    constraint project_conversations_number_key unique (account_id, number),
    constraint project_conversations_conversation_fkey foreign key (account_id, session_id) references conversations on delete cascade,
    -- Conversations are removed first: a project that goes must not leave any behind.
    constraint project_conversations_project_fkey foreign key (account_id, project_id) references projects
);
create index project_conversations_of_project on project_conversations (account_id, project_id, number);

-- How answers were judged.
create table project_feedback (
    account_id text not null,
    session_id text not null,
    prompt_id bigint not null,
    -- null: the judgement was taken back.
    reaction text check (reaction in ('neutral', 'disliked', 'liked')),
    judged_by bigint,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint project_feedback_pkey primary key (account_id, session_id, prompt_id),
    constraint project_feedback_conversation_fkey foreign key (account_id, session_id) references project_conversations on delete cascade
);

-- Pictures of settings and users; the bytes are in the blob store.
create table project_images (
    account_id text not null constraint project_images_account_fkey references accounts on delete cascade,
    file_id bigint not null check (file_id > 0),
    blob_id text not null,
    media_type text not null,
    bytes bigint not null check (bytes > 0),
    created_at timestamptz not null,
    constraint project_images_pkey primary key (account_id, file_id)
);

-- Whom this surface shows for the account.
create table project_profiles (
    account_id text not null constraint project_profiles_account_fkey references accounts on delete cascade,
    name text not null check (length(name) between 1 and 255),
    image_id bigint,
    updated_at timestamptz not null,
    constraint project_profiles_pkey primary key (account_id)
);
