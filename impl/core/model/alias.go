package model

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"parley/db"
	"parley/impl/core/audit"
	"parley/impl/core/fault"
)

// aliasesMax bounds the aliases of one account, and those of everyone.
const aliasesMax = 1000

// aliasForm is a name, or the beginning of one and a "*".
var aliasForm = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._:@/+-]{0,198}\*?|\*)$`)

// Meant returns the id of the model that a name stands for: itself, or what an
// alias says. The account's own aliases come before everyone's, names before
// beginnings, and longer beginnings before shorter ones.
func (c *Catalog) Meant(ctx context.Context, accountID, name string) (string, error) {
	rows, err := c.aliasesFor(ctx, accountID)
	if err != nil {
		return "", err
	}
	meant, best := name, -1
	for _, a := range rows {
		if score := matches(a, name); score > best {
			meant, best = a.ModelID, score
		}
	}
	return meant, nil
}

// matches returns how well an alias fits a name; negative when it does not.
func matches(a db.ModelAlias, name string) int {
	score := 0
	if a.AccountID != db.Everyone {
		score = 4 * nameMax
	}
	if a.Alias == name {
		return score + 2*nameMax
	}
	if start, wild := strings.CutSuffix(a.Alias, "*"); wild && strings.HasPrefix(name, start) {
		return score + len(start)
	}
	return -1
}

// nameMax bounds the name of a model.
const nameMax = 200

// Aliases lists the aliases of an account, or of db.Everyone, by name, from after a name.
func (c *Catalog) Aliases(ctx context.Context, accountID, afterAlias string, limit int) ([]db.ModelAlias, error) {
	return c.DB.ModelAliases(ctx, accountID, afterAlias, limit)
}

// Alias returns one alias; an unknown one is a NotFound fault.
func (c *Catalog) Alias(ctx context.Context, accountID, alias string) (db.ModelAlias, error) {
	a, err := c.DB.ModelAlias(ctx, accountID, alias)
	return a, noSuchAlias(err)
}

func noSuchAlias(err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return fault.New(fault.NotFound, "Alias not found")
	}
	return err
}

// PutAlias lets a name mean a model, and tells whether the name is new. A model
// that the account may not use is a NotFound fault, a malformed name or one too many is Invalid.
func (c *Catalog) PutAlias(ctx context.Context, accountID, alias, modelID string) (a db.ModelAlias, made bool, err error) {
	if !aliasForm.MatchString(alias) {
		return a, false, fault.New(fault.Invalid, "An alias is a model's name, or the beginning of one and a *.")
	}
	err = c.DB.InTx(ctx, func(q *db.Queries) error {
		if _, err := q.Model(ctx, accountID, modelID); err != nil {
			if errors.Is(err, db.ErrNotFound) {
				return fault.New(fault.NotFound, "There is no model with this id")
			}
			return err
		}
		if a, err = q.ModelAlias(ctx, accountID, alias); err != nil && !errors.Is(err, db.ErrNotFound) {
			return err
		}
		if made = err != nil; made {
			a = db.ModelAlias{AccountID: accountID, Alias: alias, CreatedAt: c.Now()}
			if rows, err := q.ModelAliases(ctx, accountID, "", aliasesMax); err != nil || len(rows) == aliasesMax {
				return errors.Join(err, fault.New(fault.Invalid, "There are %d aliases already.", aliasesMax))
			}
		}
		a.ModelID = modelID
		if err := q.PutModelAlias(ctx, a); err != nil {
			return err
		}
		return audit.Record(ctx, q, audit.Event{AccountID: accountID, Action: "model_alias.defined", Target: alias, Details: map[string]any{"model_id": modelID}})
	})
	return a, made, err
}

// DeleteAlias removes an alias; an unknown one is a NotFound fault.
func (c *Catalog) DeleteAlias(ctx context.Context, accountID, alias string) error {
	return c.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.DeleteModelAlias(ctx, accountID, alias); err != nil {
			return noSuchAlias(err)
		}
		return audit.Record(ctx, q, audit.Event{AccountID: accountID, Action: "model_alias.deleted", Target: alias})
	})
}
