package db

import "context"

// EndTurnsTogether ends turns in one statement, as those that end at the same time are.
func EndTurnsTogether(ctx context.Context, d *DB, turns []Turn, endings []Ending) ([]bool, error) {
	all := make([]endedTurn, len(turns))
	for i := range turns {
		all[i] = endedTurn{turns[i], endings[i]}
	}
	return d.endTurns(ctx, all)
}

// BeginTurnsTogether begins turns in one statement and tells which plainly began.
func BeginTurnsTogether(ctx context.Context, d *DB, turns []Turn, beginnings []Beginning) ([]bool, error) {
	all := make([]begins, len(turns))
	for i := range turns {
		all[i] = begins{turns[i], beginnings[i]}
	}
	told, err := d.beginTurns(ctx, all)
	begun := make([]bool, len(told))
	for i, b := range told {
		begun[i] = b.Begun
	}
	return begun, err
}
