-- +goose Up
-- Models that write down what was said, and models that speak.
alter table models drop constraint models_kind_check,
    add constraint models_kind_check check (kind in ('llm', 'sd', 'embedding', 'transcription', 'speech'));

-- +goose Down
delete from models where kind in ('transcription', 'speech');
alter table models drop constraint models_kind_check,
    add constraint models_kind_check check (kind in ('llm', 'sd', 'embedding'));
