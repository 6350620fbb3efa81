-- +goose Up

-- Which of its owners a turn has, counted: taking it over raises it, and an owner writes only while the
-- number is its own. So one that was paused, or took over a turn of its own, cannot write as it used to.
alter table turns add column generation bigint not null default 0 check (generation >= 0);
