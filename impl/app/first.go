package app

import (
	"context"

	"parley/impl/core/key"
)

// firstStart makes the first account and its first key, and returns the key's
// text; "" when there was a key already. A start that ended between the two is
// made up for by the next.
func firstStart(ctx context.Context, s *Services) (string, error) {
	account, _, err := s.Accounts.EnsureFirst(ctx)
	if err != nil {
		return "", err
	}
	keys, err := s.Keys.List(ctx, account.ID, "", 1)
	if err != nil || len(keys) > 0 {
		return "", err
	}
	created, err := s.Keys.Create(ctx, key.CreateInput{AccountID: account.ID, Name: "first key"})
	return created.Text, err
}
