// Package conversation keeps ordered messages. Surfaces call them chats,
// conversations or sessions; each sees only its own.
package conversation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/key"
	"parley/impl/core/model"
	"parley/impl/core/provider"
	"parley/impl/core/turn"
)

// historyMax is how many messages a model is offered at most; the model's
// context cuts further. Both bound the cost of a turn in an endless conversation.
const historyMax = 200

var errMissing = fault.New(fault.NotFound, "Conversation not found")

// Service makes, reads and deletes conversations.
type Service struct {
	DB     *db.DB
	Models *model.Catalog
	Turns  *turn.Engine
	Now    func() time.Time
	// Shown returns pictures of an account as models are shown them, by id; those that are gone are left out.
	Shown func(ctx context.Context, accountID string, imageIDs []string) (map[string]string, error)
}

// CreateInput describes a conversation to make.
type CreateInput struct {
	AccountID    string
	Surface      string
	AppID        string
	IDPrefix     string // of package id
	AgentID      string // "" without an agent
	EndUser      string // whom it is begun for; "" for nobody in particular
	ModelID      string // "" for the default
	Title        string
	SystemPrompt string
	Messages     []provider.Message // what it begins with, stored in order
}

// Create stores a conversation with its first messages. An agent that does
// not exist is a NotFound fault, a model an Invalid one.
func (s *Service) Create(ctx context.Context, in CreateInput) (db.Conversation, error) {
	c, err := s.Prepare(ctx, in)
	if err != nil {
		return db.Conversation{}, err
	}
	return c, s.insert(ctx, c, in.Messages)
}

// Prepare checks a conversation as Create does but stores nothing: the turn
// that begins it will (see turn.Input.Begins).
func (s *Service) Prepare(ctx context.Context, in CreateInput) (db.Conversation, error) {
	now := s.Now()
	c := db.Conversation{
		AccountID: in.AccountID, ID: id.New(in.IDPrefix), Surface: in.Surface, AppID: in.AppID, Title: in.Title,
		SystemPrompt: in.SystemPrompt, LastSeq: int64(len(in.Messages)), CreatedAt: now, LastMessageAt: now,
	}
	if in.EndUser != "" {
		c.EndUser = &in.EndUser
	}
	if in.AgentID != "" {
		if _, err := s.DB.Agent(ctx, in.AccountID, in.AgentID); errors.Is(err, db.ErrNotFound) {
			return db.Conversation{}, fault.New(fault.NotFound, "Agent not found")
		} else if err != nil {
			return db.Conversation{}, err
		}
		c.AgentID = &in.AgentID
	}
	if in.ModelID != "" {
		if err := s.Models.Check(ctx, in.AccountID, model.KindLLM, in.ModelID); err != nil {
			return db.Conversation{}, err
		}
		c.ModelID = &in.ModelID
	}
	return c, nil
}

func (s *Service) insert(ctx context.Context, c db.Conversation, first []provider.Message) error {
	if len(first) == 0 {
		return s.DB.InsertConversation(ctx, c)
	}
	rows := make([]db.Message, len(first))
	for i, m := range first {
		rows[i] = db.Message{ID: id.New(id.Message), Role: string(m.Role), Content: m.Content, CreatedAt: c.CreatedAt}
	}
	return s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.InsertConversation(ctx, c); err != nil {
			return err
		}
		return q.InsertMessages(ctx, c.AccountID, c.ID, rows)
	})
}

// Get returns a conversation of the surface and of the app (appID "" means any
// app of the account); any other is a NotFound fault.
func (s *Service) Get(ctx context.Context, accountID, surface, appID, conversationID string) (db.Conversation, error) {
	c, err := s.DB.Conversation(ctx, accountID, surface, conversationID)
	if errors.Is(err, db.ErrNotFound) || (err == nil && appID != "" && c.AppID != appID) {
		return db.Conversation{}, errMissing
	}
	return c, err
}

// Visit returns a conversation of the surface that the caller reaches: of its
// app, and for a publishable key of its end user. Any other is the same NotFound fault as Get's.
func (s *Service) Visit(ctx context.Context, caller key.Caller, surface, conversationID string) (db.Conversation, error) {
	c, err := s.Get(ctx, caller.AccountID, surface, caller.AppID, conversationID)
	if err == nil && !caller.Reaches(c.ID, c.EndUser) {
		return db.Conversation{}, errMissing
	}
	return c, err
}

// Ask begins a turn that answers question with the conversation's agent,
// prompt and history. modelID "" takes the conversation's model; a system
// prompt of the input's own follows the conversation's.
func (s *Service) Ask(ctx context.Context, in turn.Input) (*turn.Live, error) {
	c := in.Conversation
	in.SystemPrompt = strings.TrimSpace(c.SystemPrompt + "\n" + in.SystemPrompt)
	if c.AgentID != nil {
		a, err := s.DB.Agent(ctx, c.AccountID, *c.AgentID)
		switch {
		case err == nil:
			in.Agent = &a
		case !errors.Is(err, db.ErrNotFound): // a deleted agent leaves its conversations without a persona
			return nil, err
		}
	}
	var latest []db.Message
	if c.LastSeq > 0 {
		var err error
		latest, err = s.DB.NewestMessages(ctx, c.AccountID, c.ID, historyMax, s.Turns.HistoryBytes(ctx, in))
		if err != nil {
			return nil, err
		}
		in.History = History(latest)
	}
	if err := s.show(ctx, &in, latest); err != nil {
		return nil, err
	}
	return s.Turns.Start(ctx, in)
}

// History is messages as a model reads them.
func History(ms []db.Message) []provider.Message {
	out := make([]provider.Message, len(ms))
	for i, m := range ms {
		out[i] = provider.Message{Role: provider.Role(m.Role), Content: m.Content}
		if m.Content == "" && m.ImageID != nil {
			out[i].Content = pictureShown
		}
	}
	return out
}

// shownMax is how many pictures of a conversation a model is shown, the newest.
const shownMax = 8

// show puts the newest pictures of a conversation, those of the question first, into what the model reads.
// Of older ones, and of those that are gone, it reads that they were there.
func (s *Service) show(ctx context.Context, in *turn.Input, latest []db.Message) error {
	wanted := slices.Clone(in.ImageIDs)
	for i := len(latest) - 1; i >= 0 && len(wanted) < shownMax; i-- {
		wanted = append(wanted, latest[i].ImageIDs...)
	}
	wanted = wanted[:min(len(wanted), shownMax)]
	if len(wanted) == 0 {
		return nil
	}
	shown, err := s.Shown(ctx, in.Caller.AccountID, wanted)
	if err != nil {
		return err
	}
	for _, imageID := range in.ImageIDs {
		if shown[imageID] != "" {
			in.Images = append(in.Images, shown[imageID])
		}
	}
	for i, m := range latest {
		for _, imageID := range m.ImageIDs {
			if slices.Contains(wanted, imageID) && shown[imageID] != "" {
				in.History[i].Images = append(in.History[i].Images, shown[imageID])
				in.History[i].Pictures++
			} else {
				in.History[i].Content += "\n" + pictureShown
			}
		}
	}
	return nil
}

// pictureShown is what a model reads of a message that is only a picture.
const pictureShown = "[picture]"

// Delete removes a conversation with its messages and event logs; its running
// turns are cancelled first. appID "" means whatever app it belongs to.
func (s *Service) Delete(ctx context.Context, accountID, surface, appID, conversationID string) error {
	if _, err := s.Get(ctx, accountID, surface, appID, conversationID); err != nil {
		return err
	}
	s.Turns.CancelConversation(ctx, accountID, conversationID)
	err := s.DB.DeleteConversation(ctx, accountID, surface, appID, conversationID)
	if errors.Is(err, db.ErrNotFound) {
		return errMissing
	}
	return err
}

// DeleteAll removes all of an app's conversations on a surface and returns how many there were.
func (s *Service) DeleteAll(ctx context.Context, accountID, surface, appID string) (int64, error) {
	running, err := s.DB.RunningConversations(ctx, accountID, surface, appID)
	if err != nil {
		return 0, err
	}
	for _, conversationID := range running {
		s.Turns.CancelConversation(ctx, accountID, conversationID)
	}
	return s.DB.DeleteSessions(ctx, accountID, surface, appID)
}
