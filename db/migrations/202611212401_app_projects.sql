-- +goose Up
-- The project that an app answers from. One that was deleted since is as none: numbers of projects are never used again.
alter table apps add column project_id bigint check (project_id > 0);

-- How the end users of a conversation judged its answers.
create table message_feedback (
    account_id text not null,
    conversation_id text not null,
    message_id text not null,
    -- null: the judgement was taken back.
    reaction text check (reaction in ('disliked', 'liked')),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint message_feedback_pkey primary key (account_id, conversation_id, message_id),
    constraint message_feedback_conversation_fkey foreign key (account_id, conversation_id) references conversations on delete cascade
);

-- +goose Down
drop table message_feedback;
alter table apps drop column project_id;
