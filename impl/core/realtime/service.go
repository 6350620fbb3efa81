package realtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"parley/db"
	"parley/impl/core/agent"
	"parley/impl/core/conversation"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/key"
	"parley/impl/core/knowledge"
	"parley/impl/core/limit"
	"parley/impl/core/turn"
)

// Service opens sessions and keeps those that are stored.
type Service struct {
	DB            *db.DB
	Agents        *agent.Service
	Conversations *conversation.Service
	Knowledge     *knowledge.Service
	Limits        *limit.Limiter
	Turns         *turn.Engine
	Keys          *key.Service
	Now           func() time.Time

	// How many sessions may be open on this server; 0 is any number.
	OpenPerAccount, OpenPerKey int

	open open
}

var errNoSession = fault.New(fault.NotFound, "Session not found.").Coded("session_not_found")

// OpenInput describes a connection.
type OpenInput struct {
	Caller    key.Caller
	Again     func(context.Context) (key.Caller, error) // who the caller is by now
	Model     string                                    // "": of the session, or of the secret
	SessionID string                                    // of a stored session; "" begins one
	Unstored  bool
	Send      func(Event) // is never called twice at once
}

// Open prepares a session; Greet then tells the client. A model, an agent or a
// session that does not exist is a NotFound fault, too many open sessions are a
// RateLimited one. A session that was opened is open until Leave.
func (s *Service) Open(ctx context.Context, in OpenInput) (*Session, error) {
	if err := s.enter(in.Caller); err != nil {
		return nil, err
	}
	open, err := s.prepare(ctx, in)
	if err != nil {
		s.leave(in.Caller)
		return nil, err
	}
	return open, nil
}

func (s *Service) prepare(ctx context.Context, in OpenInput) (*Session, error) {
	open := &Session{
		ID: id.New(id.Session), ExpiresAt: s.Now().Add(Life), service: s, caller: in.Caller, again: in.Again, send: in.Send, unstored: in.Unstored,
		beside: map[string]*answer{},
	}
	var err error
	switch {
	case in.SessionID != "":
		err = s.resume(ctx, open, in.SessionID)
	case in.Caller.SecretID != "":
		err = s.readSecret(ctx, open)
	}
	if err != nil {
		return nil, err
	}
	if in.Model != "" {
		open.settings.Model = in.Model
	}
	who, err := s.Agents.Answering(ctx, in.Caller.AccountID, open.settings.Model)
	if err != nil {
		return nil, err
	}
	open.answering = who.ID()
	open.sound, err = s.soundOf(ctx, in.Caller.AccountID)
	return open, err
}

func (s *Service) resume(ctx context.Context, open *Session, sessionID string) error {
	accountID := open.caller.AccountID
	if _, err := s.visit(ctx, open.caller, sessionID); err != nil {
		return err
	}
	settings, err := s.DB.RealtimeSettings(ctx, accountID, sessionID)
	if errors.Is(err, db.ErrNotFound) {
		return errNoSession
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(settings), &open.settings); err != nil {
		return fmt.Errorf("read the settings of a session: %w", err)
	}
	rows, err := s.DB.RealtimeItems(ctx, accountID, sessionID, ItemsMax)
	if err != nil {
		return err
	}
	for _, row := range rows {
		e := entry{rank: row.Rank}
		if err := json.Unmarshal([]byte(row.Item), &e.Item); err != nil {
			return fmt.Errorf("read an item: %w", err)
		}
		open.entries, open.bytes = append(open.entries, e), open.bytes+e.size()
	}
	open.ID, open.stored = sessionID, true
	return nil
}

func (s *Service) visit(ctx context.Context, caller key.Caller, sessionID string) (db.Conversation, error) {
	c, err := s.Conversations.Visit(ctx, caller, Surface, sessionID)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return c, errNoSession
	}
	return c, err
}

// Stored is a session that was kept.
type Stored struct {
	db.Conversation
	Items []Item
}

// List returns an account's stored sessions without their items, the newest
// first, from after an id; "" begins with the newest.
func (s *Service) List(ctx context.Context, caller key.Caller, afterID string, limit int) ([]db.Conversation, error) {
	return s.DB.Conversations(ctx, caller.AccountID, Surface, afterID, limit)
}

// Get returns a stored session of the caller's app with its items; any other is a NotFound fault.
func (s *Service) Get(ctx context.Context, caller key.Caller, sessionID string) (Stored, error) {
	c, err := s.visit(ctx, caller, sessionID)
	if err != nil {
		return Stored{}, err
	}
	rows, err := s.DB.RealtimeItems(ctx, caller.AccountID, sessionID, ItemsMax)
	if err != nil {
		return Stored{}, err
	}
	stored := Stored{Conversation: c, Items: make([]Item, len(rows))}
	for i, row := range rows {
		if err := json.Unmarshal([]byte(row.Item), &stored.Items[i]); err != nil {
			return Stored{}, fmt.Errorf("read an item: %w", err)
		}
	}
	return stored, nil
}

// Delete removes a stored session of the caller's app; any other is a NotFound fault.
func (s *Service) Delete(ctx context.Context, caller key.Caller, sessionID string) error {
	if _, err := s.visit(ctx, caller, sessionID); err != nil {
		return err
	}
	err := s.Conversations.Delete(ctx, caller.AccountID, Surface, caller.AppID, sessionID)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return errNoSession
	}
	return err
}
