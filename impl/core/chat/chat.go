// Package chat runs flows. A chat is a run of agents that talk to each other
// and stop to ask a person; what they say next is package flow's business, this
// package stores each step before the next one begins.
//
// Every change of a chat is a compare-and-set of its version, so that of two
// people, servers or attempts one wins. A step's answer is a turn that is begun
// under a claim of the version: begun again after a crash, it is the same turn.
package chat

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"parley/db"
	"parley/impl/core/agent"
	"parley/impl/core/fault"
	"parley/impl/core/flow"
	"parley/impl/core/key"
	"parley/impl/core/knowledge"
	"parley/impl/core/model"
	"parley/impl/core/tool"
	"parley/impl/core/turn"
)

// Surface is the name under which turns of chats are stored.
const Surface = "chats"

// What a chat is made from.
const (
	FromFlow     = "flow"
	FromTemplate = "template"
)

// conflictsMax is how often a change is tried when others change the chat meanwhile.
const conflictsMax = 16

var (
	errMissing     = fault.New(fault.NotFound, "Chat not found")
	errFlowMissing = fault.New(fault.NotFound, "Flow not found")
	errBusy        = fault.New(fault.Unavailable, "The chat is being changed by others; try again.")
)

// Service keeps chats and flows and runs them. Make it with New.
type Service struct {
	Services
	hub hub
}

// Services are what a Service needs of others.
type Services struct {
	DB        *db.DB
	Turns     *turn.Engine
	Agents    *agent.Service
	Models    *model.Catalog
	Knowledge *knowledge.Service
	Tools     *tool.Service
	Log       *slog.Logger
	Now       func() time.Time

	StepTime time.Duration // bounds one answer of a model; ten minutes when zero
	RunTime  time.Duration // bounds how long a run goes on without a person; an hour when zero
}

// New returns a service that runs nothing before its Handle is called.
func New(s Services) *Service {
	s.StepTime, s.RunTime = cmp.Or(s.StepTime, stepTime), cmp.Or(s.RunTime, runTime)
	return &Service{Services: s, hub: hub{followers: map[string]map[chan struct{}]bool{}, stopped: make(chan struct{})}}
}

// newID is an id as the original project has them: 15 lower-case letters and
// digits. They sort by the millisecond of their making.
func newID() string {
	const digits, letters = 15, "0123456789abcdefghijklmnopqrstuvwxyz"
	stamp := strconv.FormatInt(time.Now().UnixMilli(), 36)
	raw := make([]byte, digits-len(stamp))
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the process instead
	for i, b := range raw {
		raw[i] = letters[int(b)%len(letters)]
	}
	return stamp + string(raw)
}

// CreateInput describes a chat to make.
type CreateInput struct {
	Name, FromType, FromID string
}

// Create makes a chat that is ready. A flow or template that does not exist is a NotFound fault.
func (s *Service) Create(ctx context.Context, caller key.Caller, in CreateInput) (db.Chat, error) {
	now := s.Now()
	c := db.Chat{
		AccountID: caller.AccountID, ID: newID(), AppID: caller.AppID, Name: in.Name, FromType: in.FromType, FromID: in.FromID,
		Status: db.ChatReady, CreatedAt: now, UpdatedAt: now,
	}
	if err := s.refresh(ctx, &c); err != nil {
		return db.Chat{}, err
	}
	return c, s.DB.InsertChat(ctx, c)
}

// refresh takes the present version of what the chat is made from.
func (s *Service) refresh(ctx context.Context, c *db.Chat) error {
	if c.FromType == FromTemplate {
		t, ok := flow.TemplateOf(c.FromID)
		if !ok {
			return fault.New(fault.NotFound, "Template not found")
		}
		c.Definition, c.FlowVersion = []byte(t.Definition), 1
		return nil
	}
	f, err := s.Flow(ctx, c.AccountID, c.FromID)
	if err != nil {
		return err
	}
	c.Definition, c.FlowVersion = f.Definition, f.Version
	return nil
}

// List returns the account's chats, the newest first, from before an id; "" starts with the newest.
func (s *Service) List(ctx context.Context, accountID, before string, limit int) ([]db.Chat, error) {
	return s.DB.Chats(ctx, accountID, before, limit)
}

// Get returns a chat of the account; any other is a NotFound fault.
func (s *Service) Get(ctx context.Context, accountID, chatID string) (db.Chat, error) {
	c, err := s.DB.Chat(ctx, accountID, chatID)
	return c, missing(err, errMissing)
}

func missing(err error, f *fault.Error) error {
	if errors.Is(err, db.ErrNotFound) {
		return f
	}
	return err
}

// Messages returns a chat's messages in order, from after a number.
func (s *Service) Messages(ctx context.Context, accountID, chatID string, after int64, limit int) ([]db.ChatMessage, error) {
	if _, err := s.Get(ctx, accountID, chatID); err != nil {
		return nil, err
	}
	return s.DB.ChatMessages(ctx, accountID, chatID, after, limit)
}

// parsed is a chat's flow and where its run stands.
func parsed(c db.Chat) (*flow.Flow, flow.State, error) {
	f, problems := flow.Parse(c.Definition)
	if len(problems) > 0 {
		return nil, flow.State{}, fault.New(fault.Conflict, "The chat's flow cannot be run: %s", told(problems[0]))
	}
	var state flow.State
	if err := json.Unmarshal(c.State, &state); err != nil {
		return nil, flow.State{}, fmt.Errorf("decode state of chat: %w", err)
	}
	return f, state, nil
}

func told(p flow.Problem) string {
	if p.Node == "" {
		return p.Reason
	}
	return "node " + p.Node + ": " + p.Reason
}
