-- +goose Up
-- The text of a publishable key, which pages show to everybody anyway, so that embed codes can be shown again.
alter table keys add column published_text text check (published_text is null or kind = 'publishable');
create index apps_of_project on apps (account_id, project_id) where project_id is not null;
create index keys_of_app on keys (account_id, app_id);

-- +goose Down
drop index keys_of_app;
drop index apps_of_project;
alter table keys drop column published_text;
