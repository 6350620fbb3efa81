package db

import (
	"context"
	"time"

	"github.com/lib/pq"
)

// ModelAlias is a name that clients send and the model that it means.
type ModelAlias struct {
	AccountID string    `db:"account_id"` // Everyone for all accounts
	Alias     string    `db:"alias"`      // a name, or the beginning of one and a "*"
	ModelID   string    `db:"model_id"`
	CreatedAt time.Time `db:"created_at"`
}

const aliasColumns = `account_id, alias, model_id, created_at`

// AliasesFor returns the newest aliases that hold for the account, its own and everyone's; at most limit.
func (q *Queries) AliasesFor(ctx context.Context, accountID string, limit int) ([]ModelAlias, error) {
	aliases := []ModelAlias{}
	err := q.list(ctx, &aliases, `
		select `+aliasColumns+`
		from model_aliases
		where account_id = any($1)
		order by created_at desc, alias
		limit $2`,
		pq.Array([]string{accountID, Everyone}), limit)
	return aliases, err
}

// ModelAliases lists the aliases of one account, or of Everyone, by name, from after a name.
func (q *Queries) ModelAliases(ctx context.Context, accountID, afterAlias string, limit int) ([]ModelAlias, error) {
	aliases := []ModelAlias{}
	err := q.list(ctx, &aliases, `
		select `+aliasColumns+`
		from model_aliases
		where account_id = $1 and alias > $2
		order by alias
		limit $3`,
		accountID, afterAlias, limit)
	return aliases, err
}

// ModelAlias returns one alias of the account, or of Everyone.
func (q *Queries) ModelAlias(ctx context.Context, accountID, alias string) (ModelAlias, error) {
	var a ModelAlias
	err := q.get(ctx, &a, `
		select `+aliasColumns+`
		from model_aliases
		where account_id = $1 and alias = $2`,
		accountID, alias)
	return a, err
}

// PutModelAlias stores an alias, replacing what it meant.
func (q *Queries) PutModelAlias(ctx context.Context, a ModelAlias) error {
	_, err := q.exec(ctx, versioned+`
		insert into model_aliases (`+aliasColumns+`)
		select $1, $2, $3, $4
		where `+afterVersion+`
		on conflict (account_id, alias) do update
		set model_id = excluded.model_id`,
		a.AccountID, a.Alias, a.ModelID, a.CreatedAt)
	return err
}

// DeleteModelAlias removes an alias of the account, or of Everyone.
func (q *Queries) DeleteModelAlias(ctx context.Context, accountID, alias string) error {
	return q.execOne(ctx, versioned+`
		delete from model_aliases
		where account_id = $1 and alias = $2 and `+afterVersion,
		accountID, alias)
}
