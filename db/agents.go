package db

import (
	"context"
	"time"
)

// Agent is a persona with its model.
type Agent struct {
	AccountID         string    `db:"account_id"`
	ID                string    `db:"agent_id"`
	Name              string    `db:"name"`
	AppearancePrompt  string    `db:"appearance_prompt"`
	PersonalityPrompt string    `db:"personality_prompt"`
	Description       string    `db:"description"`
	Age               *float64  `db:"age"` // years, at least 18
	ModelID           *string   `db:"model_id"`
	SDModelID         *string   `db:"sd_model_id"`
	AvatarID          *string   `db:"avatar_id"` // the image that shows it
	CreatedAt         time.Time `db:"created_at"`
	Knows             bool      `db:"knows"` // it answers from knowledge; set by MarkHolder alone
}

const agentColumns = `account_id, agent_id, name, appearance_prompt, personality_prompt, description, age, model_id,
	sd_model_id, avatar_id, created_at, knows`

// InsertAgent stores an agent.
func (q *Queries) InsertAgent(ctx context.Context, a Agent) error {
	_, err := q.exec(ctx, `
		insert into agents (`+agentColumns+`)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		on conflict (account_id, agent_id) do nothing`,
		a.AccountID, a.ID, a.Name, a.AppearancePrompt, a.PersonalityPrompt, a.Description, a.Age, a.ModelID,
		a.SDModelID, a.AvatarID, a.CreatedAt, a.Knows)
	return err
}

// Agent returns one agent of the account.
func (q *Queries) Agent(ctx context.Context, accountID, agentID string) (Agent, error) {
	var a Agent
	err := q.get(ctx, &a, `
		select `+agentColumns+`
		from agents
		where account_id = $1 and agent_id = $2`,
		accountID, agentID)
	return a, err
}

// Agents lists agents, the newest first, from before an id; "" starts with the newest.
func (q *Queries) Agents(ctx context.Context, accountID, beforeID string, limit int) ([]Agent, error) {
	agents := []Agent{}
	err := q.list(ctx, &agents, `
		select `+agentColumns+`
		from agents
		where account_id = $1 and `+ifGiven(beforeID, "agent_id < $3")+`
		order by agent_id desc
		limit $2`,
		accountID, limit, beforeID)
	return agents, err
}

// UpdateAgent replaces what people set of an agent: all but its id, avatar and time.
func (q *Queries) UpdateAgent(ctx context.Context, a Agent) error {
	return q.execOne(ctx, `
		update agents
		set name = $3, appearance_prompt = $4, personality_prompt = $5, description = $6, age = $7, sd_model_id = $8
		where account_id = $1 and agent_id = $2`,
		a.AccountID, a.ID, a.Name, a.AppearancePrompt, a.PersonalityPrompt, a.Description, a.Age, a.SDModelID)
}

// DeleteAgent removes an agent and returns the id of its avatar, "" without one. Its conversations stay.
func (q *Queries) DeleteAgent(ctx context.Context, accountID, agentID string) (string, error) {
	var avatar string
	err := q.get(ctx, &avatar, `
		delete from agents
		where account_id = $1 and agent_id = $2
		returning coalesce(avatar_id, '')`,
		accountID, agentID)
	return avatar, err
}
