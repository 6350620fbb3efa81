-- +goose Up
-- Pictures: made by a turn, which money refers to, or sent by people. The picture itself is a blob of
-- the kind "images" under its id.
create table images (
    account_id text not null constraint images_account_fkey references accounts on delete cascade,
    image_id text not null,
    -- Only those with the purpose "image" are listed.
    purpose text not null check (purpose in ('image', 'avatar', 'upload')),
    -- The turn that makes it; null for what people sent.
    turn_id text,
    app_id text not null,
    end_user text check (length(end_user) between 1 and 256),
    conversation_id text,
    agent_id text,
    model_id text,
    prompt text not null check (length(prompt) <= 8192),
    width integer not null check (width between 0 and 16384),
    height integer not null check (height between 0 and 16384),
    state text not null check (state in ('waiting', 'ready', 'failed')),
    -- Per cent, as far as the provider tells.
    progress smallint not null default 0 check (progress between 0 and 100),
    media_type text not null default '',
    bytes bigint not null default 0 check (bytes >= 0),
    created_at timestamptz not null,
    constraint images_pkey primary key (account_id, image_id)
);
create index images_listed on images (account_id, image_id desc) where purpose = 'image' and state = 'ready';
create unique index images_turn on images (account_id, turn_id) where turn_id is not null;
create index images_conversation on images (account_id, conversation_id) where conversation_id is not null;

-- A message that shows a picture. A picture that was deleted leaves its messages.
alter table messages add column image_id text;
alter table agents add column avatar_id text;

-- How much the account's pictures may take together; null: not limited.
alter table plans add column storage_bytes bigint check (storage_bytes between 0 and 1000000000000000);
update plans set storage_bytes = 104857600 where name = 'free';
update plans set storage_bytes = 10737418240 where name = 'pro';

alter table providers drop constraint providers_kind_check, add constraint providers_kind_check check (kind in ('builtin', 'openai', 'sdwebui'));
