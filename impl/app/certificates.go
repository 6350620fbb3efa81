package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"parley/db"
	"parley/impl/core/secret"
	"parley/impl/httpd"
)

// tlsConfig is what the listener serves HTTPS with; nil without.
func (a *App) tlsConfig() (*tls.Config, error) {
	switch {
	case a.cfg.TLSCert != "":
		certificate, err := httpd.LoadCertificate(a.cfg.TLSCert, a.cfg.TLSKey, a.log)
		if err != nil {
			return nil, err
		}
		return certificate.Config(), nil
	case len(a.cfg.ACMEDomains) > 0:
		manager, err := acmeManager(a.cfg, &certificates{db: a.database.DB, box: a.box})
		if err != nil {
			return nil, err
		}
		config := manager.TLSConfig()
		config.MinVersion = tls.VersionTLS12
		return config, nil
	default:
		return nil, nil
	}
}

// acmeTimeout bounds one request to the authority.
const acmeTimeout = 30 * time.Second

// acmeManager orders certificates of the configured domains when they are first
// asked for, and new ones a month before they end. The authority convinces itself
// on the listener's own port (tls-alpn-01); any server that shares the cache may
// be the one that it asks.
func acmeManager(cfg Config, cache autocert.Cache) (*autocert.Manager, error) {
	client := &acme.Client{DirectoryURL: cfg.ACMEDirectory}
	if cfg.ACMERoots != "" {
		pem, err := os.ReadFile(cfg.ACMERoots)
		if err != nil {
			return nil, fmt.Errorf("PARLEY_ACME_ROOTS: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, errors.New("PARLEY_ACME_ROOTS holds no certificate in PEM")
		}
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		client.HTTPClient = &http.Client{Transport: transport, Timeout: acmeTimeout}
	}
	return &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: cache, HostPolicy: autocert.HostWhitelist(cfg.ACMEDomains...), Client: client, Email: cfg.ACMEEmail,
	}, nil
}

// certificates is what servers that share a database know of certificates: the
// account with the authority, certificates with their keys, and the answers to
// its challenges, each sealed and bound to its name.
type certificates struct {
	db  *db.DB
	box *secret.Box
}

const certificateSeal = "certificate "

// Get is autocert's.
func (c *certificates) Get(ctx context.Context, name string) ([]byte, error) {
	sealed, err := c.db.Certificate(ctx, name)
	if errors.Is(err, db.ErrNotFound) {
		return nil, autocert.ErrCacheMiss
	}
	if err != nil {
		return nil, err
	}
	text, err := c.box.Open(sealed, certificateSeal+name)
	return []byte(text), err
}

// Put is autocert's.
func (c *certificates) Put(ctx context.Context, name string, data []byte) error {
	return c.db.PutCertificate(ctx, name, c.box.Seal(string(data), certificateSeal+name), now())
}

// Delete is autocert's.
func (c *certificates) Delete(ctx context.Context, name string) error {
	return c.db.DeleteCertificate(ctx, name)
}
