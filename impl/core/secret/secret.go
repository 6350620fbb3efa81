// Package secret seals what must not be readable in the database: keys of
// upstream providers. AES-256-GCM under the server's secret key.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Box seals and opens secrets. It is safe for concurrent use.
type Box struct{ aead cipher.AEAD }

// NewBox makes a box from the operator's key text (PARLEY_SECRET_KEY), which
// must have at least 32 bytes and be the same on all servers.
func NewBox(text string) (*Box, error) {
	if len(text) < 32 {
		return nil, errors.New("the secret key needs at least 32 bytes")
	}
	sum := sha256.Sum256([]byte(text))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make gcm: %w", err)
	}
	return &Box{aead: aead}, nil
}

// FileBox makes a box from the key in a file, which it makes on the first start.
func FileBox(path string) (*Box, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if raw, err = writeKey(path); errors.Is(err, os.ErrExist) {
			raw, err = os.ReadFile(path) // another process was first
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read secret key: %w", err)
	}
	return NewBox(strings.TrimSpace(string(raw)))
}

// writeKey links a complete file into place, so that nobody reads half a key.
func writeKey(path string) ([]byte, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	raw := []byte(rand.Text() + rand.Text() + "\n")
	if _, err := f.Write(raw); err != nil {
		return nil, err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	return raw, os.Link(f.Name(), path)
}

// Seal encrypts text; it opens only for the same context (for example the row's id).
func (b *Box) Seal(text, context string) []byte {
	nonce := make([]byte, b.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails: crypto/rand ends the process instead
	return b.aead.Seal(nonce, nonce, []byte(text), []byte(context))
}

// Open returns the text of what Seal made with the same key and context.
func (b *Box) Open(sealed []byte, context string) (string, error) {
	if len(sealed) < b.aead.NonceSize() {
		return "", errors.New("sealed secret is too short")
	}
	nonce, text := sealed[:b.aead.NonceSize()], sealed[b.aead.NonceSize():]
	plain, err := b.aead.Open(nil, nonce, text, []byte(context))
	if err != nil {
		return "", fmt.Errorf("open sealed secret (has the secret key changed?): %w", err)
	}
	return string(plain), nil
}
