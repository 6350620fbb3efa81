-- +goose Up
-- Agents and apps with knowledge of their own. Answers of the others need not look for any.
alter table agents add column knows boolean not null default false;
alter table apps add column knows boolean not null default false;

update agents a set knows = true
where exists (select 1 from collection_links l where l.account_id = a.account_id and l.holder_kind = 'agent' and l.holder_id = a.agent_id);
update apps a set knows = true
where exists (select 1 from collection_links l where l.account_id = a.account_id and l.holder_kind = 'app' and l.holder_id = a.app_id);

-- Which model made the vector: those of two models cannot be compared. '' without a vector.
alter table chunks add column embedding_model text not null default '';
