package credential_test

import (
	"crypto/rand"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/db/dbtest"
	"parley/impl/core/credential"
	"parley/impl/core/secret"
)

func box(t *testing.T) *secret.Box {
	t.Helper()
	b, err := secret.NewBox(rand.Text() + rand.Text())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Servers that start together agree on one secret, and so does a later start.
func TestServersShareOneMintingSecret(t *testing.T) {
	t.Parallel()
	d, _ := dbtest.Own(t)
	first, second := box(t), box(t)
	minters := make([]*credential.Minter, 4)
	var all sync.WaitGroup
	for i := range minters {
		all.Go(func() {
			var err error
			if minters[i], err = credential.Load(t.Context(), d, first, time.Now()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	text := minters[0].Mint(credential.SecretKey)
	later, err := credential.Load(t.Context(), d, first, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range append(minters, later) {
		if _, genuine := m.Genuine(text); !genuine {
			t.Errorf("server %d does not know the credential of the first", i)
		}
	}
	if _, err := credential.Load(t.Context(), d, second, time.Now()); err == nil || !strings.Contains(err.Error(), "PARLEY_SECRET_KEY") {
		t.Errorf("with another secret key: %v", err)
	}
}
