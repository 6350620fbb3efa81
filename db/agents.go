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
	CreatedAt         time.Time `db:"created_at"`
}

const agentColumns = `account_id, agent_id, name, appearance_prompt, personality_prompt, description, age, model_id,
	sd_model_id, created_at`

// InsertAgent stores an agent.
func (q *Queries) InsertAgent(ctx context.Context, a Agent) error {
	_, err := q.exec(ctx, `
		insert into agents (`+agentColumns+`)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		on conflict (account_id, agent_id) do nothing`,
		a.AccountID, a.ID, a.Name, a.AppearancePrompt, a.PersonalityPrompt, a.Description, a.Age, a.ModelID,
		a.SDModelID, a.CreatedAt)
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
