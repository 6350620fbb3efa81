package db

import "context"

// EndTurnsTogether ends turns in one statement, as those that end at the same time are.
func (d *DB) EndTurnsTogether(ctx context.Context, turns []Turn, endings []Ending) ([]bool, error) {
	all := make([]endedTurn, len(turns))
	for i := range turns {
		all[i] = endedTurn{turns[i], endings[i]}
	}
	return d.endTurns(ctx, all)
}

// BeginTurnsTogether begins turns in one statement and tells which plainly began.
func (d *DB) BeginTurnsTogether(ctx context.Context, turns []Turn, beginnings []Beginning) ([]bool, error) {
	all := make([]begins, len(turns))
	for i := range turns {
		all[i] = begins{turns[i], beginnings[i]}
	}
	return d.beginTurns(ctx, all)
}
