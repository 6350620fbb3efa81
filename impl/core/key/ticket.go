package key

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"parley/db"
	"parley/impl/core/credential"
	"parley/impl/core/fault"
)

// chats is the surface that tickets reach, by its scope's name.
const chats = "chats"

var errTicket = fault.New(fault.Forbidden, "Only an API key or an OAuth client that may write to chats makes tickets.")

// ticket is what opens the WebSocket of one chat. It is signed and not stored:
// it ends with its time, or with the key that made it.
type ticket struct {
	AccountID string `json:"a"`
	KeyID     string `json:"k"`           // that made it, or the OAuth client
	Client    bool   `json:"c,omitempty"` // KeyID is a client's
	ChatID    string `json:"h"`
	Expires   int64  `json:"x"` // Unix seconds
}

// NewTicket makes a ticket of the caller's for one chat: for pages, which must not hold a key.
func (s *Service) NewTicket(c Caller, chatID string, ends time.Time) (string, error) {
	if c.ByToken || c.Kind != Secret || c.By != "key" && c.By != "client" {
		return "", errTicket
	}
	payload, err := json.Marshal(ticket{AccountID: c.AccountID, KeyID: c.KeyID, Client: c.By == "client", ChatID: chatID, Expires: ends.Unix()})
	if err != nil {
		panic(err) // a struct of texts and a number always encodes
	}
	return s.Credentials.Sign(credential.ChatTicket, payload), nil
}

func isTicket(text string) bool { return strings.HasPrefix(text, string(credential.ChatTicket)) }

// authenticateTicket returns the caller that a ticket stands for: its key, for one chat alone.
func (s *Service) authenticateTicket(ctx context.Context, text string) (Caller, error) {
	payload, ok := s.Credentials.Payload(credential.ChatTicket, text)
	var t ticket
	if !ok || json.Unmarshal(payload, &t) != nil || s.Now().Unix() >= t.Expires {
		return Caller{}, ErrUnknown
	}
	c, err := s.Holder(ctx, t.AccountID, t.KeyID, t.Client)
	if err != nil {
		return Caller{}, err
	}
	c.ByToken, c.SessionID, c.FromSecret = true, t.ChatID, true
	if c.May(chats + verbWrite) {
		c.Scopes = []string{chats + verbWrite}
	} else {
		c.Scopes = []string{}
	}
	return c, nil
}

// Holder is the key or OAuth client as it is now; ErrUnknown when it has been
// deleted, deactivated or has expired.
func (s *Service) Holder(ctx context.Context, accountID, keyID string, client bool) (Caller, error) {
	kind, find := credential.EndUser, s.DB.CallerByKey
	if client {
		kind, find = credential.AccessToken, s.DB.CallerByClient
	}
	c, err := s.caller(ctx, kind, string(credential.ChatTicket)+accountID+" "+keyID, func(ctx context.Context, _ []byte) (db.Caller, error) {
		return find(ctx, accountID, keyID)
	})
	if client && err == nil {
		c.By = "client"
	}
	return c, err
}
