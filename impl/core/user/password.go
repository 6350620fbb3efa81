package user

import (
	"context"
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"parley/impl/core/fault"
)

// The bounds of a password, in characters.
const (
	passwordMin = 10
	passwordMax = 200
)

// parameters are OWASP's second choice for argon2id: 19 MiB, so that a crowd
// that signs in does not exhaust the server's memory.
var parameters = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// hashers bounds how many passwords are hashed at once.
const hashers = 4

// hasher makes and compares digests of passwords.
type hasher struct {
	slots chan struct{}
	// nobody is the digest that stands in for people who are not there: their
	// refusal takes as long as another's.
	nobody func() string
}

func newHasher() hasher {
	return hasher{slots: make(chan struct{}, hashers), nobody: sync.OnceValue(func() string {
		hash, err := argon2id.CreateHash("a password that nobody has", parameters)
		if err != nil {
			panic(err) // crypto/rand ends the process before it fails
		}
		return hash
	})}
}

func (h hasher) wait(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h hasher) hash(ctx context.Context, password string) (string, error) {
	if n := utf8.RuneCountInString(password); n < passwordMin || n > passwordMax {
		return "", fault.New(fault.Invalid, "A password has %d to %d characters.", passwordMin, passwordMax)
	}
	if err := h.wait(ctx); err != nil {
		return "", err
	}
	defer func() { <-h.slots }()
	hash, err := argon2id.CreateHash(password, parameters)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hash, nil
}

// matches compares a password with a digest; without one it takes as long and is false.
func (h hasher) matches(ctx context.Context, password string, hash *string) (bool, error) {
	against := h.nobody()
	if hash != nil {
		against = *hash
	}
	if err := h.wait(ctx); err != nil {
		return false, err
	}
	defer func() { <-h.slots }()
	match, err := argon2id.ComparePasswordAndHash(password, against)
	if err != nil {
		return false, fmt.Errorf("compare password: %w", err)
	}
	return match && hash != nil, nil
}
