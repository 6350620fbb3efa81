package db

import (
	"context"
	"time"
)

// EngagementState is a version of what an agent keeps in mind of an end user.
type EngagementState struct {
	AccountID      string    `db:"account_id"`
	AgentID        string    `db:"agent_id"`
	UserID         string    `db:"user_id"`
	ConversationID string    `db:"conversation_id"`
	Version        int64     `db:"version"`
	State          string    `db:"state"` // JSON
	UpdatedAt      time.Time `db:"updated_at"`
}

// InsertEngagementState stores the first version of a state; false when there is one already.
func (q *Queries) InsertEngagementState(ctx context.Context, s EngagementState) (bool, error) {
	n, err := q.exec(ctx, `
		with made as (
			insert into engagement_states (account_id, agent_id, user_id, conversation_id, version, state, updated_at)
			values ($1, $2, $3, $4, 1, $5, $6)
			on conflict on constraint engagement_states_pkey do nothing
			returning account_id, agent_id, user_id, version, state, updated_at
		)
		insert into engagement_state_versions (account_id, agent_id, user_id, version, state, created_at)
		select *
		from made`,
		s.AccountID, s.AgentID, s.UserID, s.ConversationID, s.State, s.UpdatedAt)
	return n == 1, err
}

// UpdateEngagementState stores the next version of a state; false when it is not the next one.
func (q *Queries) UpdateEngagementState(ctx context.Context, s EngagementState) (bool, error) {
	n, err := q.exec(ctx, `
		with changed as (
			update engagement_states
			set version = $4, state = $5, updated_at = $6
			where account_id = $1 and agent_id = $2 and user_id = $3 and version = $4 - 1
			returning account_id, agent_id, user_id, version, state, updated_at
		)
		insert into engagement_state_versions (account_id, agent_id, user_id, version, state, created_at)
		select *
		from changed`,
		s.AccountID, s.AgentID, s.UserID, s.Version, s.State, s.UpdatedAt)
	return n == 1, err
}

// EngagementState returns the newest version of a state.
func (q *Queries) EngagementState(ctx context.Context, accountID, agentID, userID string) (EngagementState, error) {
	var s EngagementState
	err := q.get(ctx, &s, `
		select account_id, agent_id, user_id, conversation_id, version, state, updated_at
		from engagement_states
		where account_id = $1 and agent_id = $2 and user_id = $3`,
		accountID, agentID, userID)
	return s, err
}

// EngagementStates returns versions of a state, the newest first, from before a version; 0 starts with the newest.
func (q *Queries) EngagementStates(ctx context.Context, accountID, agentID, userID string, before int64, limit int) ([]EngagementState, error) {
	found := []EngagementState{}
	err := q.list(ctx, &found, `
		select s.account_id, s.agent_id, s.user_id, s.conversation_id, v.version, v.state, v.created_at as updated_at
		from engagement_state_versions v
		join engagement_states s on s.account_id = v.account_id and s.agent_id = v.agent_id and s.user_id = v.user_id
		where v.account_id = $1 and v.agent_id = $2 and v.user_id = $3 and ($4 = 0 or v.version < $4)
		order by v.version desc
		limit $5`,
		accountID, agentID, userID, before, limit)
	return found, err
}
