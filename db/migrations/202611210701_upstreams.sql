-- +goose Up

-- The models that answer, in order, when the provider of this one refuses or is down.
alter table models add column fallback_ids text[] not null default '{}' constraint models_fallbacks_check check (cardinality(fallback_ids) <= 5);

-- The caller asked that nothing of the turn's text be kept: it has figures and no events.
alter table turns add column unstored boolean not null default false;
