package user

import (
	"context"
	"crypto/sha256"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/job"
)

const (
	// guessWindow is the time in which attempts to sign in are counted, right or wrong.
	guessWindow = 15 * time.Minute
	// emailGuesses are those that one e-mail address admits in the window.
	emailGuesses = 20
	// NetworkGuesses are those that one network may try in the window.
	NetworkGuesses = 100

	sweepKind  = "sign_in.sweep"
	sweepBatch = 1000
)

// allow counts an attempt on an e-mail address from a network ("" is not
// counted). One too many is a RateLimited fault that says exactly when the next is heard,
// whether there is such a person or not. Every server counts in the same rows. An attempt that is
// refused only reads, so a flood writes no more than what it is allowed.
func (s *Service) allow(ctx context.Context, email, network string) error {
	allowances := []db.Allowance{allowance("email", email, emailGuesses)}
	if network != "" && s.NetworkGuesses > 0 {
		allowances = append(allowances, allowance("network", network, s.NetworkGuesses))
	}
	now := s.Now()
	wait, err := s.wait(ctx, allowances, now)
	if err != nil || wait > 0 {
		return tooMany(wait, err)
	}
	taken, err := s.DB.TakeGuess(ctx, allowances, now)
	if err != nil || taken {
		return err
	}
	wait, err = s.wait(ctx, allowances, now) // somebody else was first
	return tooMany(max(wait, time.Second), err)
}

// wait is how long it takes until all of the allowances admit an attempt.
func (s *Service) wait(ctx context.Context, allowances []db.Allowance, now time.Time) (time.Duration, error) {
	buckets := make([][]byte, len(allowances))
	for i, a := range allowances {
		buckets[i] = a.Bucket
	}
	full, err := s.DB.GuessesFull(ctx, buckets)
	if err != nil {
		return 0, err
	}
	var longest time.Duration
	for i, a := range allowances {
		if opens := full[i].Add(a.Each - a.Window); opens.After(now) {
			longest = max(longest, opens.Sub(now))
		}
	}
	return longest, nil
}

func tooMany(wait time.Duration, err error) error {
	if err != nil {
		return err
	}
	f := fault.New(fault.RateLimited, "Too many attempts to sign in.")
	f.RetryAfter = wait
	return f
}

func allowance(kind, name string, count int) db.Allowance {
	bucket := sha256.Sum256([]byte(kind + "\n" + name))
	return db.Allowance{Bucket: bucket[:], Each: guessWindow / time.Duration(count), Window: guessWindow}
}

// Handle registers the job that forgets attempts which count no more.
func (s *Service) Handle(r *job.Runner) {
	r.Handle(sweepKind, job.Handler{Do: s.sweep, Slots: 1, Timeout: 5 * time.Minute})
	r.Every(sweepKind, guessWindow)
}

func (s *Service) sweep(ctx context.Context, _ job.Run) error {
	for {
		n, err := s.DB.DeleteFullGuesses(ctx, s.Now(), sweepBatch)
		if err != nil || n < sweepBatch {
			return err
		}
	}
}
