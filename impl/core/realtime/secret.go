package realtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"parley/db"
	"parley/impl/core/id"
	"parley/impl/core/key"
)

// secretPrefix is that of an ephemeral secret's id.
const secretPrefix = "rts_"

// Secret is an ephemeral secret with what its sessions begin with.
type Secret struct {
	View
	Text string
	Ends time.Time
}

// NewSecret makes a secret whose connections begin with the settings. A model
// that does not exist is a NotFound fault, a caller that may make none gets a Forbidden one.
func (s *Service) NewSecret(ctx context.Context, caller key.Caller, settings Settings, life time.Duration) (Secret, error) {
	who, err := s.Agents.Answering(ctx, caller.AccountID, settings.Model)
	if err != nil {
		return Secret{}, err
	}
	by, err := s.soundOf(ctx, caller.AccountID)
	if err == nil {
		err = settings.check(by)
	}
	if err != nil {
		return Secret{}, err
	}
	secretID, now := id.New(secretPrefix), s.Now()
	ends := now.Add(life).Truncate(time.Second)
	text, err := s.Keys.NewEphemeral(caller, secretID, ends)
	if err != nil {
		return Secret{}, err
	}
	err = s.DB.InsertRealtimeSecret(ctx, caller.AccountID, secretID, string(encoded(settings)), ends, now)
	return Secret{View: View{ID: id.New(id.Session), Model: who.ID(), Settings: settings.resolved(by)}, Text: text, Ends: ends}, err
}

// readSecret gives a session what its secret says.
func (s *Service) readSecret(ctx context.Context, open *Session) error {
	settings, err := s.DB.RealtimeSecret(ctx, open.caller.AccountID, open.caller.SecretID)
	if errors.Is(err, db.ErrNotFound) {
		return key.ErrUnknown
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(settings), &open.settings); err != nil {
		return fmt.Errorf("read the settings of a secret: %w", err)
	}
	return nil
}
