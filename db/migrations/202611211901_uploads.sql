-- +goose Up
-- What its sender calls an uploaded picture.
alter table images add column name text not null default '' check (length(name) <= 255);
create index images_uploads on images (account_id, image_id desc) where purpose = 'upload';

-- The pictures that a sender put into a message, in order; null: none. Those that were deleted leave their ids.
alter table messages add column image_ids text[] check (cardinality(image_ids) between 1 and 4);

-- Whether a model sees pictures; null: nobody said so, and its provider decides.
alter table models add column vision boolean;

-- The models of everyone that an account does not let answer.
create table model_switches (
    account_id text not null constraint model_switches_account_fkey references accounts on delete cascade,
    model_id text not null check (length(model_id) between 1 and 200),
    created_at timestamptz not null,
    constraint model_switches_pkey primary key (account_id, model_id)
);
