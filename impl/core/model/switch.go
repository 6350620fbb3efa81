package model

import (
	"context"
	"errors"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/key"
)

var errOwnModel = fault.New(fault.Invalid, "The model is the account's own: enabled says whether it answers.")

// onlySwitches tells whether a change is the account's own switch and nothing else.
func (c ModelChange) onlySwitches() bool {
	c.EnabledHere = nil
	return c == ModelChange{}
}

// switchModel lets a model of everyone answer the caller's account, or no longer.
func (c *Catalog) switchModel(ctx context.Context, by key.Caller, modelID string, on bool) (db.Model, error) {
	m, err := c.DB.OfferedModel(ctx, by.AccountID, modelID)
	if errors.Is(err, db.ErrNotFound) {
		return m, errNoModel
	}
	if err == nil && m.AccountID != db.Everyone {
		err = errOwnModel
	}
	if err != nil {
		return m, err
	}
	m.EnabledHere = on
	return m, c.act(ctx, by, m, "model.switched", map[string]any{"enabled_here": on}, func(q *db.Queries) error {
		return q.SwitchModel(ctx, by.AccountID, modelID, on, c.Now())
	})
}
