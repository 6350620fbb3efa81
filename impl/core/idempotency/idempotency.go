// Package idempotency makes repeated requests safe. A request that names a key
// acts once: its claim is stored in the transaction of what it does, so that a
// crash at any point leaves both or neither. The answer of a turn is the turn
// itself; that of a creation is stored sealed, because it can show a secret.
package idempotency

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/job"
	"parley/impl/core/secret"
)

const (
	// Keep is how long a first answer is repeated.
	Keep = 24 * time.Hour
	// sweepBatch bounds what one statement removes.
	sweepBatch = 1000
)

// ErrTaken says that another request has acted under the key meanwhile: its
// answer is this one's, too.
var ErrTaken = errors.New("idempotency key was taken meanwhile")

// The refusals of a key.
var (
	ErrReused = fault.New(fault.Unprocessable, "This Idempotency-Key was used for another request.")
	ErrGone   = &fault.Error{Kind: fault.Conflict, Code: "result_not_stored",
		Message: "The answer to the first request with this Idempotency-Key is not stored."}
	ErrInFlight = &fault.Error{Kind: fault.Conflict, Code: "idempotency_key_in_use", RetryAfter: time.Second,
		Message: "The first request with this Idempotency-Key is still being carried out."}
)

// Service finds and keeps claims.
type Service struct {
	DB  *db.DB
	Box *secret.Box
	Now func() time.Time
}

// Answer is an answer to repeat.
type Answer struct {
	Status int               `json:"status"`
	Header map[string]string `json:"header"`
	Body   []byte            `json:"body"`
}

// Find returns the claim under the key of c, and whether there is one that
// still holds. ErrReused when it belongs to another request.
func (s *Service) Find(ctx context.Context, c db.Claim) (db.Claim, bool, error) {
	stored, err := s.DB.Claim(ctx, c.AccountID, c.AppID, c.Key)
	if errors.Is(err, db.ErrNotFound) {
		return db.Claim{}, false, nil
	}
	if err != nil {
		return db.Claim{}, false, err
	}
	if now := s.Now(); !now.Before(stored.ExpiresAt) {
		return db.Claim{}, false, s.DB.DropClaim(ctx, c.AccountID, c.AppID, c.Key, now)
	}
	if !bytes.Equal(stored.Fingerprint, c.Fingerprint) {
		return db.Claim{}, false, ErrReused
	}
	return stored, true, nil
}

// Act begins what may happen once; see db.Act.
func (s *Service) Act(ctx context.Context, c db.Claim) (context.Context, *db.Act) {
	return s.DB.Act(ctx, c)
}

// Seal is an answer as a claim stores it.
func (s *Service) Seal(c db.Claim, a Answer) ([]byte, error) {
	raw, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return s.Box.Seal(string(raw), place(c)), nil
}

// Open returns the answer that a claim stores; ErrGone when it was erased.
func (s *Service) Open(c db.Claim) (Answer, error) {
	if len(c.SealedAnswer) == 0 {
		return Answer{}, ErrGone
	}
	raw, err := s.Box.Open(c.SealedAnswer, place(c))
	if err != nil {
		return Answer{}, err
	}
	var a Answer
	if err := json.Unmarshal([]byte(raw), &a); err != nil {
		return Answer{}, fmt.Errorf("decode answer: %w", err)
	}
	return a, nil
}

func place(c db.Claim) string { return c.AccountID + " " + c.AppID + " " + c.Key }

// SweepKind is the periodic job that removes claims that have lapsed.
const SweepKind = "idempotency.sweep"

// Handle registers the job.
func (s *Service) Handle(r *job.Runner) {
	r.Handle(SweepKind, job.Handler{Do: s.sweep, Slots: 1, Timeout: 10 * time.Minute})
	r.Every(SweepKind, 10*time.Minute)
}

func (s *Service) sweep(ctx context.Context, _ job.Run) error {
	for {
		n, err := s.DB.DropClaims(ctx, s.Now(), sweepBatch)
		if err != nil || n < sweepBatch {
			return err
		}
	}
}

type claimKey struct{}

// With gives the turn that a request begins its claim.
func With(ctx context.Context, c db.Claim) context.Context {
	return context.WithValue(ctx, claimKey{}, &c)
}

// Without is for a turn that another one needs: the request's claim is for the latter.
func Without(ctx context.Context) context.Context {
	return context.WithValue(ctx, claimKey{}, (*db.Claim)(nil))
}

// ClaimOf returns the claim of the request, nil without one.
func ClaimOf(ctx context.Context) *db.Claim {
	c, _ := ctx.Value(claimKey{}).(*db.Claim)
	return c
}
