package app

import (
	"context"

	"parley/db"
	"parley/impl/core/fault"
)

// repeat gives the answer to the request of a picture's turn once more.
type repeat func(ctx context.Context, t db.Turn) (any, error)

// bySurface leaves it to the surface that the turn was begun on.
func bySurface(all map[string]repeat) repeat {
	return func(ctx context.Context, t db.Turn) (any, error) {
		if all[t.Surface] == nil {
			return nil, fault.New(fault.NotFound, "Turn not found")
		}
		return all[t.Surface](ctx, t)
	}
}
