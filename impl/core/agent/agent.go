// Package agent keeps personas: who speaks, how, and with which model.
package agent

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/model"
)

// Service makes and reads agents.
type Service struct {
	DB     *db.DB
	Models *model.Catalog
	Now    func() time.Time
	// Release removes what an agent that goes has beside its row, in the same transaction; nil for nothing.
	Release func(ctx context.Context, q *db.Queries, accountID, agentID string) error
}

// CreateInput describes an agent to make. Age is in years; nil when not given.
type CreateInput struct {
	Name              string
	AppearancePrompt  string
	PersonalityPrompt string
	Description       string
	SDModelID         string // "" for an agent without a picture
	Age               *float64
}

// Create stores an agent. An sd model that does not exist is an Invalid fault.
func (s *Service) Create(ctx context.Context, accountID string, in CreateInput) (db.Agent, error) {
	a, err := s.Prepare(ctx, accountID, in)
	if err != nil {
		return a, err
	}
	return a, s.DB.InsertAgent(ctx, a)
}

// Prepare checks an agent as Create does but stores nothing: who makes its picture will.
func (s *Service) Prepare(ctx context.Context, accountID string, in CreateInput) (db.Agent, error) {
	a := db.Agent{
		AccountID: accountID, ID: id.New(id.Agent), Name: in.Name, AppearancePrompt: in.AppearancePrompt,
		PersonalityPrompt: in.PersonalityPrompt, Description: in.Description, Age: in.Age, CreatedAt: s.Now(),
	}
	if in.SDModelID != "" {
		if err := s.Models.Check(ctx, accountID, "sd", in.SDModelID); err != nil {
			return db.Agent{}, err
		}
		a.SDModelID = &in.SDModelID
	}
	return a, nil
}

// Get returns an agent of the account; any other is a NotFound fault.
func (s *Service) Get(ctx context.Context, accountID, agentID string) (db.Agent, error) {
	a, err := s.DB.Agent(ctx, accountID, agentID)
	if errors.Is(err, db.ErrNotFound) {
		return db.Agent{}, fault.New(fault.NotFound, "Agent not found")
	}
	return a, err
}

// List returns agents, the newest first, from before an id ("" from the newest).
func (s *Service) List(ctx context.Context, accountID, beforeID string, limit int) ([]db.Agent, error) {
	return s.DB.Agents(ctx, accountID, beforeID, limit)
}

// Appearance is the agent's appearance prompt with its age in front, as seed
// 002 shows: "35 years old, Professional, suit and tie".
func Appearance(a db.Agent) string {
	if a.Age == nil {
		return a.AppearancePrompt
	}
	return strconv.FormatFloat(*a.Age, 'f', -1, 64) + " years old, " + a.AppearancePrompt
}

// Persona is what a model is told of who it is; "" for an agent without words.
func Persona(a db.Agent) string {
	parts := []string{"You are " + a.Name + "."}
	if a.Description != "" {
		parts = append(parts, a.Description)
	}
	if a.PersonalityPrompt != "" {
		parts = append(parts, "Personality: "+a.PersonalityPrompt)
	}
	return strings.Join(parts, "\n")
}
