package app

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/acme/autocert"

	"parley/db/dbtest"
	"parley/impl/core/secret"
)

// What autocert stores is sealed, bound to its name, and gone when it is deleted.
func TestCertificatesAreSealed(t *testing.T) {
	t.Parallel()
	box, err := secret.NewBox(strings.Repeat("k", 32))
	if err != nil {
		t.Fatal(err)
	}
	c := &certificates{db: dbtest.New(t), box: box}
	if _, err := c.Get(t.Context(), "a.example"); !errors.Is(err, autocert.ErrCacheMiss) {
		t.Errorf("of nothing: %v", err)
	}
	key := []byte("-----BEGIN PRIVATE KEY-----")
	for range 2 {
		if err := c.Put(t.Context(), "a.example", key); err != nil {
			t.Fatal(err)
		}
	}
	sealed, err := c.db.Certificate(t.Context(), "a.example")
	if err != nil || bytes.Contains(sealed, []byte("PRIVATE")) {
		t.Errorf("stored as %q, %v", sealed, err)
	}
	if err := c.db.PutCertificate(t.Context(), "b.example", sealed, now()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), "b.example"); err == nil {
		t.Error("a certificate is served under another name")
	}
	if got, err := c.Get(t.Context(), "a.example"); err != nil || !bytes.Equal(got, key) {
		t.Errorf("got %q, %v", got, err)
	}
	if err := c.Delete(t.Context(), "a.example"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), "a.example"); !errors.Is(err, autocert.ErrCacheMiss) {
		t.Errorf("after its deletion: %v", err)
	}
}

func TestACMEOptionsGoTogether(t *testing.T) {
	t.Parallel()
	good := Config{Listen: "0.0.0.0:443", DatabaseConns: 2, Data: t.TempDir(), ACMEDomains: []string{"a.example"}}
	if err := good.Check(); err != nil || !good.secure() {
		t.Errorf("refused: %v", err)
	}
	for what, change := range map[string]func(*Config){
		"a certificate beside": func(c *Config) { c.TLSCert, c.TLSKey = "cert.pem", "key.pem" },
		"no domain":            func(c *Config) { c.ACMEDomains, c.ACMEEmail, c.AllowPlainHTTP = nil, "ops@a.example", true },
		"no URL":               func(c *Config) { c.ACMEDirectory = "directory" },
	} {
		c := good
		change(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), "PARLEY_ACME") {
			t.Errorf("%s: %v", what, err)
		}
	}
	file := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(file, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, roots := range []string{file, file + ".absent"} {
		if _, err := acmeManager(Config{ACMEDomains: []string{"a.example"}, ACMERoots: roots}, nil); err == nil {
			t.Errorf("roots in %s are taken", filepath.Base(roots))
		}
	}
}
