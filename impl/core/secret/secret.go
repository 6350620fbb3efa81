// Package secret seals what must not be readable in the database, such as keys
// of upstream providers: AES-256-GCM under the installation's sealing key, which
// is itself sealed under the operator's secret key.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Box seals and opens secrets. It is safe for concurrent use.
type Box struct {
	aead cipher.AEAD
	id   string // names the key without telling it
}

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
	name := sha256.Sum256(append([]byte("names a secret key\n"), sum[:]...))
	return &Box{aead: aead, id: hex.EncodeToString(name[:8])}, nil
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

// ReplaceFile puts a new random key into the file, all of it or nothing, after
// use has been called with the new key's box.
func ReplaceFile(path string, use func(*Box) error) error {
	text := rand.Text() + rand.Text()
	box, err := NewBox(text)
	if err != nil {
		return err
	}
	temporary, err := writeTemporary(path, text)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary) }()
	if err := use(box); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// writeKey links a complete file into place, so that nobody reads half a key.
func writeKey(path string) ([]byte, error) {
	text := rand.Text() + rand.Text()
	temporary, err := writeTemporary(path, text)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(temporary) }()
	return []byte(text), os.Link(temporary, path)
}

// writeTemporary stores a key for good in a new file beside path and returns its name.
func writeTemporary(path, text string) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(text + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
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
