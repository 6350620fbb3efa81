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
// secret; servers that start at the same time agree on one. It is sealed,
// and not derived from the operator's secret key, so that credentials survive
// the rotation of that key.
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
