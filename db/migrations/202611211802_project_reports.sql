-- +goose Up
-- Figures of projects, rolled up as answers end: a fold finds the ended turns that were not counted yet,
-- counts each once, and adds them to the figures of their day.

alter table turns add column reported boolean not null default false;
create index turns_unreported on turns (account_id) where surface = 'projects' and not reported and state <> 'running';

alter table project_conversations add column reported boolean not null default false;

-- Ended answers of conversations, for the report that lists them; their text is in the messages.
create table project_answers (
    account_id text not null,
    project_id bigint not null,
    prompt_id bigint not null,
    session_id text not null,
    turn_id text not null,
    ended_at timestamptz not null,
    constraint project_answers_pkey primary key (account_id, project_id, prompt_id),
    constraint project_answers_conversation_fkey foreign key (account_id, session_id) references project_conversations on delete cascade
);
create index project_answers_of_conversation on project_answers (account_id, session_id);

-- By UTC day. They stay when conversations go.
create table project_days (
    account_id text not null,
    project_id bigint not null,
    day date not null,
    -- Where the questions came from, and how their answers ended.
    request_source text not null,
    status text not null check (status in ('completed', 'failed', 'cancelled')),
    queries bigint not null,
    -- Conversations whose first answer is among them.
    conversations bigint not null,
    constraint project_days_pkey primary key (account_id, project_id, day, request_source, status),
    constraint project_days_project_fkey foreign key (account_id, project_id) references projects on delete cascade
);
