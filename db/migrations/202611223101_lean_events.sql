-- +goose Up
-- Events are stored by statements that hold their turn's row, and turns are never
-- deleted: each batch paid for a look at what had just been found.
alter table turn_events drop constraint turn_events_turn_fkey;

-- +goose Down
alter table turn_events add constraint turn_events_turn_fkey foreign key (account_id, turn_id) references turns on delete cascade;
