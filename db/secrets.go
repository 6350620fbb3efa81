package db

import (
	"context"
	"time"
)

// ServerSecret returns a secret of the installation, sealed. It belongs to no account.
func (q *Queries) ServerSecret(ctx context.Context, name string) ([]byte, error) {
	var sealed []byte
	err := q.get(ctx, &sealed, `select sealed from server_secrets where name = $1`, name)
	return sealed, err
}

// InsertServerSecret stores a secret of the installation, unless there is one of that name.
func (q *Queries) InsertServerSecret(ctx context.Context, name string, sealed []byte, at time.Time) error {
	_, err := q.exec(ctx, `
		insert into server_secrets (name, sealed, created_at)
		values ($1, $2, $3)
		on conflict (name) do nothing`,
		name, sealed, at)
	return err
}
