package user

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"parley/db"
	"parley/impl/core/audit"
	"parley/impl/core/fault"
)

// method is how somebody signs in, as the audit log has it.
type method string

const (
	byPassword method = "password"
	byLink     method = "link"
	byIssuer   method = "oidc"
)

// refuse books an attempt to sign in that is refused: in the account of the
// person whose address it names, and in the server's books when it is nobody's (the
// zero user), by a digest. Both take the same statements. It returns the answer, or why it could not be booked.
func (s *Service) refuse(ctx context.Context, u db.User, email string, by method, reason string, answer *fault.Error) error {
	if u.ID == "" {
		sum := sha256.Sum256([]byte(email))
		u, reason = db.User{AccountID: audit.Server, ID: "email:" + hex.EncodeToString(sum[:8])}, "unknown"
	}
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		return recordSignIn(ctx, q, u, "user.sign_in_refused", map[string]any{"method": by, "reason": reason})
	})
	if err != nil {
		return err
	}
	return answer
}

// recordSignIn books how somebody signed in or out.
func recordSignIn(ctx context.Context, q *db.Queries, u db.User, action string, details map[string]any) error {
	return audit.Record(ctx, q, audit.Event{AccountID: u.AccountID, Action: action, Target: u.ID, Details: details})
}
