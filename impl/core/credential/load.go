package credential

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"parley/db"
	"parley/impl/core/secret"
)

// secretName is the row and the sealing context of the minting secret.
const secretName = "credential-minting"

// Load returns the minter of the installation. The first start makes its
// secret; servers that start at the same time agree on one. It is sealed with
// the operator's secret key, and not derived from it, so that credentials
// survive the rotation of that key (see Reseal).
func Load(ctx context.Context, d *db.DB, box *secret.Box, now time.Time) (*Minter, error) {
	sealed, err := d.ServerSecret(ctx, secretName)
	if errors.Is(err, db.ErrNotFound) {
		if err := d.InsertServerSecret(ctx, secretName, box.Seal(rand.Text()+rand.Text(), secretName), now); err != nil {
			return nil, err
		}
		sealed, err = d.ServerSecret(ctx, secretName)
	}
	if err != nil {
		return nil, err
	}
	text, err := box.Open(sealed, secretName)
	if err != nil {
		return nil, fmt.Errorf("the secret that credentials are minted with cannot be read; PARLEY_SECRET_KEY, or the file "+
			"secret.key in the data folder, must be the one that this database was first used with: %w", err)
	}
	return NewMinter([]byte(text)), nil
}

// Reseal stores the minting secret under another secret key. For the rotation
// of that key: every credential stays good.
func Reseal(ctx context.Context, q *db.Queries, from, to *secret.Box) error {
	sealed, err := q.ServerSecret(ctx, secretName)
	if err != nil {
		return err
	}
	text, err := from.Open(sealed, secretName)
	if err != nil {
		return err
	}
	return q.UpdateServerSecret(ctx, secretName, to.Seal(text, secretName))
}
