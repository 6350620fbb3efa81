package project

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"parley/db"
	"parley/impl/core/conversation"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/key"
	"parley/impl/core/model"
	"parley/impl/core/provider"
	"parley/impl/core/turn"
)

// Metadata says where a question came from.
type Metadata struct {
	UserIP        string `json:"user_ip"`
	UserAgent     string `json:"user_agent"`
	ExternalID    string `json:"external_id"`
	RequestSource string `json:"request_source"`
}

// Options are what is stored with a turn of this surface: what its answer
// says beside the answer. They go when the conversation does.
type Options struct {
	PromptID   int64     `json:"prompt_id,omitempty"` // 0 for a completion, which belongs to no conversation
	Prompt     string    `json:"prompt,omitempty"`
	UserID     *int64    `json:"user_id,omitempty"`
	Metadata   Metadata  `json:"metadata,omitzero"`
	AskedAt    time.Time `json:"asked_at,omitzero"`
	Uncited    bool      `json:"uncited,omitempty"` // its answer names no pages
	Completion bool      `json:"completion,omitempty"`
	ProjectID  int64     `json:"project_id,omitempty"` // of a completion
}

// OptionsOf reads what is stored with a turn.
func OptionsOf(raw json.RawMessage) Options {
	var o Options
	_ = json.Unmarshal(raw, &o) // stored by us in this shape
	return o
}

// Question is a message to a project.
type Question struct {
	Caller         key.Caller
	ProjectID      int64
	Prompt         string
	Persona        string // instead of the settings'; ""
	Model          string // instead of the settings'; ""
	ResponseSource string // instead of the settings'; ""
	Lang           string // of the answer; "" is that of the question
	Metadata       Metadata
	Inline         bool // cite inside the text, whatever the settings say
}

// Ask begins a turn that answers a question of a conversation, and returns what is stored with it. Faults are those of turn.Engine.Start.
func (s *Service) Ask(ctx context.Context, sessionID string, q Question) (*turn.Live, Options, error) {
	accountID := q.Caller.AccountID
	p, err := s.Get(ctx, accountID, q.ProjectID)
	if err != nil {
		return nil, Options{}, err
	}
	c, err := s.Conversation(ctx, accountID, p.ID, sessionID)
	if err != nil {
		return nil, Options{}, err
	}
	if err := s.useLicense(ctx, p, c.LicenseID, 0, 1); err != nil {
		return nil, Options{}, err
	}
	row, err := s.DB.Conversation(ctx, accountID, Surface, c.SessionID)
	if errors.Is(err, db.ErrNotFound) {
		return nil, Options{}, errNoConversation
	}
	if err != nil {
		return nil, Options{}, err
	}
	set, err := SettingsOf(p)
	if err != nil {
		return nil, Options{}, err
	}
	o := Options{PromptID: id.Number(), Prompt: q.Prompt, UserID: asker(q.Caller), Metadata: q.Metadata, AskedAt: s.Now()}
	in, err := s.input(ctx, p, set, q, o)
	if err != nil {
		return nil, Options{}, err
	}
	row.SystemPrompt = in.SystemPrompt // of the settings, as they are at this moment
	in.Conversation, in.Question = &row, q.Prompt
	before, err := s.DB.MessagesBefore(ctx, accountID, c.SessionID, 0, historySearched)
	if err != nil {
		return nil, Options{}, err
	}
	if in.Knowledge, err = s.knowledgeFor(ctx, p, set, q, conversation.History(before)); err != nil {
		return nil, Options{}, err
	}
	if c.Name == "" {
		if err := s.nameAfter(ctx, c, q.Prompt); err != nil {
			return nil, Options{}, err
		}
	}
	live, err := s.Conversations.Ask(ctx, in)
	return live, in.Options.(Options), err
}

// Complete begins a turn that answers messages which belong to no conversation.
// The last of them is what the content is searched for.
func (s *Service) Complete(ctx context.Context, q Question, history []provider.Message) (*turn.Live, Options, error) {
	p, err := s.Get(ctx, q.Caller.AccountID, q.ProjectID)
	if err != nil {
		return nil, Options{}, err
	}
	set, err := SettingsOf(p)
	if err != nil {
		return nil, Options{}, err
	}
	in, err := s.input(ctx, p, set, q, Options{Completion: true, ProjectID: p.ID, Metadata: Metadata{RequestSource: q.Metadata.RequestSource}})
	if err != nil {
		return nil, Options{}, err
	}
	in.History = history
	last := len(history) - 1
	q.Prompt = history[last].Content
	if in.Knowledge, err = s.knowledgeFor(ctx, p, set, q, history[:last]); err != nil {
		return nil, Options{}, err
	}
	live, err := s.Turns.Start(ctx, in)
	return live, in.Options.(Options), err
}

// historySearched is how many messages before a question tell what it is about.
const historySearched = 10

// asker is the number of who asks; nil for a visitor whom nobody named.
func asker(c key.Caller) *int64 {
	if c.EndUser != "" {
		return nil
	}
	n := UserNumber(c)
	return &n
}

// input is what both kinds of questions have in common.
func (s *Service) input(ctx context.Context, p db.Project, set Settings, q Question, o Options) (turn.Input, error) {
	modelID, err := s.modelID(ctx, p.AccountID, q.Model, set.ChatbotModel)
	if err != nil {
		return turn.Input{}, err
	}
	o.Uncited = set.EnableCitations == 0
	return turn.Input{
		Caller: q.Caller, Surface: Surface, ModelID: modelID, SystemPrompt: set.SystemPrompt(q.Persona, q.Lang), Options: o,
		Agent: &db.Agent{AccountID: p.AccountID, ID: strconv.FormatInt(p.ID, 10), Name: p.Name},
	}, nil
}

// modelID returns the first of the wanted models that the account may use; ""
// for its default. Clients of this API send names of models that this server may never have heard of.
func (s *Service) modelID(ctx context.Context, accountID string, wanted ...string) (string, error) {
	for _, name := range wanted {
		if name == "" {
			continue
		}
		m, err := s.Models.Named(ctx, accountID, name, model.KindLLM)
		if err == nil {
			return m.ID, nil
		}
		if fault.KindOf(err) != fault.NotFound {
			return "", err
		}
	}
	return "", nil
}

// nameRunes is how much of its first message a conversation is called after.
const nameRunes = 100

func (s *Service) nameAfter(ctx context.Context, c db.ProjectConversation, prompt string) error {
	name := []rune(strings.Join(strings.Fields(prompt), " "))
	err := s.DB.RenameProjectConversation(ctx, c.AccountID, c.ProjectID, c.SessionID, string(name[:min(len(name), nameRunes)]), s.Now())
	if errors.Is(err, db.ErrNotFound) {
		return nil // it was deleted meanwhile
	}
	return err
}

// Prompts returns a page of a conversation's questions and how many there are on all pages.
func (s *Service) Prompts(ctx context.Context, c db.ProjectConversation, f db.ListFilter) ([]db.Prompt, int64, error) {
	n, err := s.DB.CountPrompts(ctx, c.AccountID, c.SessionID)
	if err != nil {
		return nil, 0, err
	}
	rows, err := s.DB.Prompts(ctx, c.AccountID, c.SessionID, f)
	return rows, n, err
}

// Prompt returns a question of a conversation; any other is a NotFound fault.
func (s *Service) Prompt(ctx context.Context, c db.ProjectConversation, promptID int64) (db.Prompt, error) {
	p, err := s.DB.Prompt(ctx, c.AccountID, c.SessionID, promptID)
	if errors.Is(err, db.ErrNotFound) {
		return db.Prompt{}, fault.New(fault.NotFound, "Message with id %d not found", promptID)
	}
	return p, err
}

// Judge says what an answer was worth; nil takes a judgement back.
func (s *Service) Judge(ctx context.Context, caller key.Caller, c db.ProjectConversation, promptID int64, reaction *string) (db.Prompt, error) {
	if _, err := s.Prompt(ctx, c, promptID); err != nil {
		return db.Prompt{}, err
	}
	if err := s.DB.PutFeedback(ctx, c.AccountID, c.SessionID, promptID, reaction, UserNumber(caller), s.Now()); err != nil {
		return db.Prompt{}, fmt.Errorf("store feedback: %w", err)
	}
	return s.Prompt(ctx, c, promptID)
}
