package db

import (
	"context"
	"time"
)

// Certificate returns what is stored under a name, sealed. It belongs to no account.
func (q *Queries) Certificate(ctx context.Context, name string) ([]byte, error) {
	var sealed []byte
	err := q.get(ctx, &sealed, `select sealed from certificates where name = $1`, name)
	return sealed, err
}

// PutCertificate stores what a name stands for from now on.
func (q *Queries) PutCertificate(ctx context.Context, name string, sealed []byte, at time.Time) error {
	_, err := q.exec(ctx, `
		insert into certificates (name, sealed, updated_at)
		values ($1, $2, $3)
		on conflict (name) do update
		set sealed = excluded.sealed, updated_at = excluded.updated_at`,
		name, sealed, at)
	return err
}

// DeleteCertificate removes a name; there need not be one.
func (q *Queries) DeleteCertificate(ctx context.Context, name string) error {
	_, err := q.exec(ctx, `delete from certificates where name = $1`, name)
	return err
}
