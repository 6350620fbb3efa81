package httpd

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateCheck is how often, at most, the files of a certificate are looked at.
const certificateCheck = time.Second

// Certificate serves a certificate from two PEM files, and its successor as
// soon as the files have changed. It is safe for concurrent use.
type Certificate struct {
	cert, key string
	log       *slog.Logger
	now       func() time.Time

	mu     sync.Mutex
	pair   *tls.Certificate
	seen   [2]stamp
	looked time.Time
}

// stamp tells one version of a file from another.
type stamp struct {
	at   time.Time
	size int64
}

// LoadCertificate reads a certificate and its key; it fails when they are not a pair.
func LoadCertificate(cert, key string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key, log: log, now: time.Now}
	seen, err := c.stamps()
	if err == nil {
		err = c.load(seen)
	}
	if err != nil {
		return nil, fmt.Errorf("the certificate: %w", err)
	}
	return c, nil
}

// Config is for a listener.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{GetCertificate: c.get, MinVersion: tls.VersionTLS12}
}

// get is the present certificate. Files that cannot be read, or are not a pair
// because only one of them is new yet, leave the one before.
func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.looked) >= certificateCheck {
		c.looked = now
		seen, err := c.stamps()
		if err == nil && seen != c.seen {
			if err = c.load(seen); err == nil {
				c.log.Info("the certificate was renewed", "file", c.cert)
			}
		}
		if err != nil {
			c.log.Warn("the new certificate cannot be used; the one before is", "error", err)
		}
	}
	return c.pair, nil
}

func (c *Certificate) load(seen [2]stamp) error {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	c.pair, c.seen = &pair, seen
	return nil
}

func (c *Certificate) stamps() (seen [2]stamp, err error) {
	for i, name := range []string{c.cert, c.key} {
		info, err := os.Stat(name)
		if err != nil {
			return seen, err
		}
		seen[i] = stamp{info.ModTime(), info.Size()}
	}
	return seen, nil
}
