package engagement

import (
	"context"
	"encoding/json"
	"strings"

	"parley/db"
	"parley/impl/core/agent"
	"parley/impl/core/conversation"
	"parley/impl/core/fault"
	"parley/impl/core/key"
	"parley/impl/core/turn"
)

// Portrait is what an agent knows of a user: nothing when UserID is "".
type Portrait struct {
	Insight
	days []Day
}

// Advisor lets agents answer, with a user's figures in mind.
type Advisor struct {
	Figures       *Service
	Agents        *agent.Service
	Conversations *conversation.Service
	Turns         *turn.Engine
	Surface       string // under which conversations are stored
}

// Options is what an answer needs besides its text; it is stored with the turn,
// so that the answer can be given again.
type Options struct {
	Agent    string          `json:"agent"`
	UserID   string          `json:"user_id,omitempty"`
	Proposal json.RawMessage `json:"proposal,omitempty"` // structured: what the agent's method says from the figures alone
	Analysis json.RawMessage `json:"analysis,omitempty"` // of a summary: what it sums up, in the surface's form
}

// Question asks a built-in agent.
type Question struct {
	Agent      Agent
	UserID     string // "" when the question is about nobody in particular
	Prompt     string
	ModelID    string // "" for the default
	Structured bool
	Analysis   json.RawMessage // the figures to sum up; nil for none
}

// Ask begins an answer of a built-in agent. It belongs to no conversation.
func (a *Advisor) Ask(ctx context.Context, caller key.Caller, q Question) (*turn.Live, Options, error) {
	portrait, err := a.Figures.portrait(ctx, caller.AccountID, q.UserID)
	if err != nil {
		return nil, Options{}, err
	}
	in := turn.Input{
		Caller: caller, Surface: a.Surface, ModelID: q.ModelID, Agent: q.Agent.Persona(), SystemPrompt: portrait.told(),
		Question: q.Prompt, Sampling: turn.Sampling{EndUser: q.UserID},
	}
	options := Options{Agent: q.Agent.ID, UserID: q.UserID, Analysis: q.Analysis}
	if q.Analysis != nil {
		in.SystemPrompt = strings.TrimSpace(in.SystemPrompt + "\nThe analysis to explain, as JSON:\n" + string(q.Analysis))
	}
	if q.Structured {
		if options.Proposal, err = q.Agent.structure(&in, portrait); err != nil {
			return nil, Options{}, err
		}
	}
	in.Options = options
	live, err := a.Turns.Start(ctx, in)
	return live, options, err
}

// portrait reads a user's last four weeks.
func (s *Service) portrait(ctx context.Context, accountID, userID string) (Portrait, error) {
	if userID == "" {
		return Portrait{Insight: Insight{Level: LevelNone}}, nil
	}
	portraits, err := s.Portraits(ctx, accountID, []string{userID})
	if err != nil {
		return Portrait{}, err
	}
	return portraits[0], nil
}

// structure asks for an answer in the agent's form, and returns what the method itself proposes. The
// schema's default carries the proposal: a model may improve on it.
func (a Agent) structure(in *turn.Input, p Portrait) (json.RawMessage, error) {
	proposal, err := json.Marshal(a.form.propose(p))
	if err != nil {
		return nil, err
	}
	schema := object{}
	for name, value := range a.form.schema {
		schema[name] = value
	}
	schema["default"] = json.RawMessage(proposal)
	format, err := json.Marshal(object{"type": "json_schema", "json_schema": object{"name": a.form.name, "schema": schema}})
	if err != nil {
		return nil, err
	}
	in.Sampling.Extra = map[string]json.RawMessage{"response_format": format}
	in.SystemPrompt = strings.TrimSpace(in.SystemPrompt + "\nAnswer with one JSON object and nothing else. What the figures alone suggest: " + string(proposal))
	return proposal, nil
}

// Structured is the structured result of an answer: the model's own when it fits the agent's form,
// otherwise the method's proposal. ByModel tells which; nil when none was asked for.
func (o Options) Structured(answer string) (result json.RawMessage, byModel bool) {
	a, ok := Find(o.Agent)
	if !ok || o.Proposal == nil {
		return nil, false
	}
	if raw := jsonObject(answer); raw != nil && a.form.fits(raw) {
		return raw, true
	}
	return o.Proposal, false
}

// jsonObject is the text's JSON object; models like to wrap it in a fence. Nil when there is none.
func jsonObject(text string) json.RawMessage {
	start, end := strings.IndexByte(text, '{'), strings.LastIndexByte(text, '}')
	if start < 0 || end < start || !json.Valid([]byte(text[start:end+1])) {
		return nil
	}
	return json.RawMessage(text[start : end+1])
}

// Interaction is a user's message to an agent.
type Interaction struct {
	AgentID, UserID, Prompt string
}

// Interact begins the agent's answer in its lasting conversation with the
// user. The agent may be built in or one of the account's; any other is a NotFound fault.
func (a *Advisor) Interact(ctx context.Context, caller key.Caller, i Interaction) (*turn.Live, Options, error) {
	builtIn, own, err := a.find(ctx, caller.AccountID, i.AgentID)
	if err != nil {
		return nil, Options{}, err
	}
	portrait, err := a.Figures.portrait(ctx, caller.AccountID, i.UserID)
	if err != nil {
		return nil, Options{}, err
	}
	state, err := a.remember(ctx, caller, i, own, portrait)
	if err != nil {
		return nil, Options{}, err
	}
	c, err := a.Conversations.Get(ctx, caller.AccountID, a.Surface, "", state.ConversationID)
	if err != nil {
		return nil, Options{}, err
	}
	options := Options{Agent: i.AgentID, UserID: i.UserID}
	in := turn.Input{
		Caller: caller, Surface: a.Surface, Conversation: &c, Agent: own, Question: i.Prompt, Sampling: turn.Sampling{EndUser: i.UserID},
		SystemPrompt: strings.TrimSpace(portrait.told() + "\n" + state.told()), Options: options,
	}
	if builtIn.ID != "" {
		in.Agent = builtIn.Persona()
	}
	live, err := a.Conversations.Ask(ctx, in)
	return live, options, err
}

// find returns the built-in agent or the account's own.
func (a *Advisor) find(ctx context.Context, accountID, agentID string) (Agent, *db.Agent, error) {
	if builtIn, ok := Find(agentID); ok {
		return builtIn, nil, nil
	}
	own, err := a.Agents.Get(ctx, accountID, agentID)
	if err != nil {
		return Agent{}, nil, err
	}
	return Agent{}, &own, nil
}

var errNoState = fault.New(fault.NotFound, "Agent state not found")
