package testkit

import (
	"testing"
	"time"

	"parley/db"
	"parley/impl/core/id"
)

// Rule stores a rule of the surface engagement that tells webhooks who drifts away.
func (a Account) Rule(t testing.TB) db.EngagementRule {
	t.Helper()
	r := db.EngagementRule{
		AccountID: a.ID, ID: id.New("rule_"), Name: "Drifting away", Figure: "risk", Comparison: "above", Threshold: 0.5, Action: "webhook", CreatedAt: time.Now(),
	}
	if _, err := a.server.DB.InsertEngagementRule(t.Context(), r, 1000); err != nil {
		t.Fatal(err)
	}
	return r
}

// AgentState stores what an agent keeps in mind of an end user: nothing yet.
func (a Account) AgentState(t testing.TB, agentID, endUser string) {
	t.Helper()
	if _, err := a.server.DB.InsertEngagementState(t.Context(), db.EngagementState{
		AccountID: a.ID, AgentID: agentID, UserID: endUser, ConversationID: a.Conversation(t, func(c *db.Conversation) { c.Surface = "engagement" }).ID,
		State: `{"level":"none","goals":[],"themes":[]}`, UpdatedAt: time.Now(),
	}); err != nil {
		t.Fatal(err)
	}
}
