package secret

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"parley/db"
	"parley/impl/core/audit"
)

// sealContext binds the sealing key's own seal.
const sealContext = "sealing key"

// ErrOtherKey is what Open returns when the database's secrets are sealed under another key.
var ErrOtherKey = errors.New("the secrets of this database are sealed under another secret key: set PARLEY_SECRET_KEY, or put the file " +
	"secret.key into the data folder, as on the server that made them")

// Open returns the box of the installation's sealing key. That key is random,
// made by the first start, and stored sealed under the operator's key, the
// master; so the operator's key can change without sealing everything again.
func Open(ctx context.Context, d *db.DB, master *Box, now time.Time) (*Box, error) {
	sealed, err := d.SealKey(ctx, master.id)
	if errors.Is(err, db.ErrNotFound) {
		sealed, err = firstSealKey(ctx, d, master, now)
	}
	if err != nil {
		return nil, err
	}
	return unseal(master, sealed)
}

// Check is ErrOtherKey when the installation's sealing key is not sealed under
// master; a database without one has nothing to open. It changes nothing.
func Check(ctx context.Context, q *db.Queries, master *Box) error {
	sealed, err := q.SealKey(ctx, master.id)
	if err == nil {
		_, err = unseal(master, sealed)
		return err
	}
	if !errors.Is(err, db.ErrNotFound) {
		return err
	}
	n, err := q.SealKeys(ctx)
	if err == nil && n > 0 {
		err = ErrOtherKey
	}
	return err
}

func unseal(master *Box, sealed []byte) (*Box, error) {
	text, err := master.Open(sealed, sealContext)
	if err != nil {
		return nil, err
	}
	return NewBox(text)
}

// firstSealKey makes the sealing key unless there is one. Servers that start
// at the same time take turns.
func firstSealKey(ctx context.Context, d *db.DB, master *Box, now time.Time) (sealed []byte, err error) {
	err = d.InTx(ctx, func(q *db.Queries) error {
		if err := q.LockFirstStart(ctx); err != nil {
			return err
		}
		if sealed, err = q.SealKey(ctx, master.id); !errors.Is(err, db.ErrNotFound) {
			return err
		}
		n, err := q.SealKeys(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			return ErrOtherKey
		}
		sealed = master.Seal(rand.Text()+rand.Text(), sealContext)
		return q.PutSealKey(ctx, master.id, sealed, now)
	})
	return sealed, err
}

// Rotate lets a new master open the installation's secrets, beside the present
// one, so that servers can change over one by one; then Retire ends the old one.
func Rotate(ctx context.Context, d *db.DB, from, to *Box, now time.Time) error {
	return d.InTx(ctx, func(q *db.Queries) error {
		sealed, err := q.SealKey(ctx, from.id)
		if errors.Is(err, db.ErrNotFound) {
			return ErrOtherKey
		}
		if err != nil {
			return err
		}
		text, err := from.Open(sealed, sealContext)
		if err != nil {
			return err
		}
		if err := q.PutSealKey(ctx, to.id, to.Seal(text, sealContext), now); err != nil {
			return err
		}
		return audit.Record(ctx, q, audit.Event{AccountID: audit.Server, Action: "secret_key.rotated", Target: to.id})
	})
}

// Retire makes the master the only one that opens the installation's secrets
// and returns how many others it ended.
func Retire(ctx context.Context, d *db.DB, master *Box) (ended int64, err error) {
	err = d.InTx(ctx, func(q *db.Queries) error {
		if _, err := q.SealKey(ctx, master.id); errors.Is(err, db.ErrNotFound) {
			return ErrOtherKey
		} else if err != nil {
			return err
		}
		if ended, err = q.DeleteOtherSealKeys(ctx, master.id); err != nil {
			return err
		}
		return audit.Record(ctx, q, audit.Event{AccountID: audit.Server, Action: "secret_key.retired", Target: master.id, Details: map[string]any{"ended": ended}})
	})
	if err != nil {
		return 0, fmt.Errorf("retire: %w", err)
	}
	return ended, nil
}
