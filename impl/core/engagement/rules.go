package engagement

import (
	"context"
	"errors"
	"slices"
	"time"

	"parley/db"
	"parley/impl/core/event"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/job"
	"parley/impl/core/key"
)

const (
	// RulesMax is how many rules an account may have: each is looked at whenever behaviour is reported.
	RulesMax = 50
	// MessageKind is the job in which an agent prepares a message.
	MessageKind = "engagement.message"

	// Below and Above are how a figure is compared with a threshold.
	Below, Above = "below", "above"
	// Webhook and Message are what a rule does.
	Webhook, Message = "webhook", "message"
)

// RuleFigures are what rules can look at: the figures of the last four weeks, the risk of
// disengagement and the streak of days.
var RuleFigures = append(slices.Clone(Figures), "risk", "daily_streak")

// RuleInput describes a rule to make.
type RuleInput struct {
	Name, Figure, Comparison string
	Threshold                float64
	Action                   string // Webhook or Message
	AgentID, Prompt          string // of a message
}

// CreateRule makes a rule for the caller's account. A message is paid by the key or OAuth client that made the
// rule, so that people cannot make such a rule; an agent that does not exist is a NotFound fault.
func (a *Advisor) CreateRule(ctx context.Context, caller key.Caller, in RuleInput) (db.EngagementRule, error) {
	r := db.EngagementRule{
		AccountID: caller.AccountID, ID: id.New("rule_"), Name: in.Name, Figure: in.Figure, Comparison: in.Comparison, Threshold: in.Threshold,
		Action: in.Action, Prompt: in.Prompt, CreatedAt: a.Figures.Now(),
	}
	if in.Action == Message {
		if caller.By == "user" {
			return db.EngagementRule{}, fault.New(fault.Invalid, "action: a message needs an API key or an OAuth client, which pays for it.")
		}
		if in.AgentID == "" || in.Prompt == "" {
			return db.EngagementRule{}, fault.New(fault.Invalid, "action: a message needs agent_id and prompt.")
		}
		if _, _, err := a.find(ctx, caller.AccountID, in.AgentID); err != nil {
			return db.EngagementRule{}, err
		}
		r.AgentID, r.KeyID = &in.AgentID, &caller.KeyID
	}
	made, err := a.Figures.DB.InsertEngagementRule(ctx, r, RulesMax)
	if err == nil && !made {
		err = fault.New(fault.Conflict, "An account may have %d rules.", RulesMax)
	}
	return r, err
}

// Rules lists the account's rules, the newest first, from before an id.
func (s *Service) Rules(ctx context.Context, accountID, before string, limit int) ([]db.EngagementRule, error) {
	return s.DB.EngagementRules(ctx, accountID, before, limit)
}

// DeleteRule removes a rule; a NotFound fault when there is none.
func (s *Service) DeleteRule(ctx context.Context, accountID, ruleID string) error {
	err := s.DB.DeleteEngagementRule(ctx, accountID, ruleID)
	if errors.Is(err, db.ErrNotFound) {
		return fault.New(fault.NotFound, "Rule not found")
	}
	return err
}

// ruleMet is the payload of the webhook event.
type ruleMet struct {
	RuleID    string  `json:"rule_id"`
	UserID    string  `json:"user_id"`
	Figure    string  `json:"figure"`
	Value     float64 `json:"value"`
	Threshold float64 `json:"threshold"`
}

// messageArgs name a message to prepare.
type messageArgs struct {
	RuleID string `json:"rule_id"`
	UserID string `json:"user_id"`
}

// Reported looks at users whose behaviour was just reported and returns portraits
// of the first of them, at most told. Rules look at all of them; without rules
// nothing is read of the others. A rule acts when its condition begins to hold
// for a user, and again only after it has ceased to.
func (s *Service) Reported(ctx context.Context, accountID string, userIDs []string, told int) ([]Portrait, error) {
	told = min(told, len(userIDs))
	rules, err := s.DB.EngagementRules(ctx, accountID, "", RulesMax)
	if err != nil {
		return nil, err
	}
	if len(rules) == 0 {
		userIDs = userIDs[:told]
	}
	portraits, err := s.Portraits(ctx, accountID, userIDs)
	if err != nil || len(rules) == 0 {
		return portraits, err
	}
	return portraits[:told], s.DB.InTx(ctx, func(q *db.Queries) error {
		for _, r := range rules {
			if err := s.apply(ctx, q, r, portraits); err != nil {
				return err
			}
		}
		return nil
	})
}

// apply takes two statements, however many users there are, and one for each crossing.
func (s *Service) apply(ctx context.Context, q *db.Queries, r db.EngagementRule, portraits []Portrait) error {
	values, met, unmet := map[string]float64{}, []string{}, []string{}
	for _, p := range portraits {
		value := p.value(r.Figure)
		values[p.UserID] = value
		if r.Comparison == Below && value < r.Threshold || r.Comparison == Above && value > r.Threshold {
			met = append(met, p.UserID)
		} else {
			unmet = append(unmet, p.UserID)
		}
	}
	if err := q.DeleteEngagementHits(ctx, r.AccountID, r.ID, unmet); err != nil {
		return err
	}
	now := s.Now()
	began, err := q.InsertEngagementHits(ctx, r.AccountID, r.ID, met, now)
	if err != nil {
		return err
	}
	for _, user := range began {
		if err := s.act(ctx, q, r, user, values[user], now); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) act(ctx context.Context, q *db.Queries, r db.EngagementRule, user string, value float64, now time.Time) error {
	if r.Action == Message {
		return job.Enqueue(ctx, q, now, job.New{AccountID: r.AccountID, Kind: MessageKind, Args: messageArgs{r.ID, user}})
	}
	return event.Record(ctx, q, r.AccountID, event.EngagementRuleMet, now, ruleMet{r.ID, user, r.Figure, value, r.Threshold})
}

func (p Portrait) value(name string) float64 {
	switch name {
	case "risk":
		return p.Risk
	case "daily_streak":
		return float64(p.DailyStreak)
	}
	return figure(name, p.days)
}

// Handle makes the runner prepare messages and keep the months of events ready.
func (a *Advisor) Handle(r *job.Runner) {
	r.Handle(MessageKind, job.Handler{Do: job.Typed(a.prepare), Timeout: messageTimeout})
	r.Handle(monthsKind, job.Handler{Do: a.Figures.makeMonths, Slots: 1})
	r.Every(monthsKind, monthsEvery)
}
