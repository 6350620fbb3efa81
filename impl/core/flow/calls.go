package flow

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"parley/impl/core/provider"
)

const (
	// RoundsOfCallsMax is how often an agent calls tools before it has to answer.
	RoundsOfCallsMax = 8
	// CallsAtOnceMax is how many calls one answer may hold.
	CallsAtOnceMax = 16
	// ArgumentsBytesMax bounds the arguments of a call.
	ArgumentsBytesMax = 32 << 10
	// shownBytesMax is how much of the arguments a person is shown.
	shownBytesMax = 8 << 10
)

// What became of a call.
const (
	CallWaiting = "waiting" // for a person's approval
	CallGoes    = "calling"
	CallDone    = "done"
	CallFailed  = "failed"
	CallRefused = "refused" // by a person
)

// Call is an agent's call of a tool.
type Call struct {
	ID        string `json:"id"`   // the model's; a server's own where the model gave none
	Name      string `json:"name"` // of the function
	Arguments string `json:"arguments"`
	ToolID    string `json:"tool_id,omitempty"` // "" where there is no such tool
	State     string `json:"state"`
	Result    string `json:"result,omitempty"`
}

// over tells whether the model can be told what the call came to.
func (c Call) over() bool { return c.State != CallWaiting && c.State != CallGoes }

// round is an answer that calls tools.
type round struct {
	Text  string `json:"text,omitempty"`
	Calls []Call `json:"calls"`
}

// Using tells whether a run has a tool called, or a person asked about it.
func (s State) Using() bool {
	return s.Pending != nil && (s.Pending.Kind == Use || s.Pending.Kind == Approve)
}

// Call is the call that is pending; only when there is one.
func (s State) Call() Call { return *s.call() }

// Latest are the calls of the latest answer that calls tools; none when the agent has answered.
func (s State) Latest() []Call {
	if len(s.Rounds) == 0 {
		return nil
	}
	return s.Rounds[len(s.Rounds)-1].Calls
}

// CallNumber names the pending call within its run.
func (s State) CallNumber() string {
	last := s.Rounds[len(s.Rounds)-1]
	return fmt.Sprintf("%d.%d", s.Calls, slices.IndexFunc(last.Calls, func(c Call) bool { return !c.over() }))
}

func (s State) call() *Call {
	last := s.Rounds[len(s.Rounds)-1].Calls
	return &last[slices.IndexFunc(last, func(c Call) bool { return !c.over() })]
}

// Wished takes in an answer that calls tools; each call is CallGoes, CallWaiting, or over already. It changes the state given.
func (f *Flow) Wished(s State, text string, calls []Call) State {
	s.Rounds = append(s.Rounds, round{Text: strings.TrimSpace(text), Calls: calls})
	f.next(&s, s.Pending.Agent)
	return s
}

// Called takes in what the pending call came to. It changes the state given.
func (f *Flow) Called(s State, state, result string) State {
	c := s.call()
	c.State, c.Result = state, result
	f.next(&s, s.Pending.Agent)
	return s
}

// next finds the next call, or asks the agent again when all are over.
func (f *Flow) next(s *State, agent string) {
	last := s.Rounds[len(s.Rounds)-1].Calls
	for _, c := range last {
		switch c.State {
		case CallWaiting:
			s.Pending = &Pending{Kind: Approve, Agent: agent}
			return
		case CallGoes:
			s.Pending = &Pending{Kind: Use, Agent: agent}
			return
		}
	}
	s.Pending = &Pending{Kind: Reply, Agent: agent}
	if s.Calls++; s.Calls > CallsMax {
		s.Pending, s.Sequences, s.Failure = nil, nil, "The run asked models more often than a run may."
	}
}

// yes are the words that approve a call.
var yes = []string{"yes", "y", "approve", "approved", "ok"}

// approve takes in a person's word about the pending call. What is no approval refuses it, and is told to the agent.
func (f *Flow) approve(s State, text string) (State, []Message, error) {
	switch {
	case strings.EqualFold(text, exit):
		s.Rounds = nil
		s.talk().Over = true
		return s, f.settle(&s), nil
	case slices.Contains(yes, strings.ToLower(strings.TrimRight(text, ".!"))):
		s.call().State = CallGoes
		f.next(&s, s.Pending.Agent)
		return s, nil, nil
	}
	told := "A person refused this call."
	if text != "" {
		told += " They said: " + text
	}
	return f.Called(s, CallRefused, told), nil, nil
}

// approval is what a person is asked about the pending call.
func (f *Flow) approval(s State) string {
	c := s.Call()
	shown := c.Arguments
	if len(shown) > shownBytesMax {
		shown = strings.ToValidUTF8(shown[:shownBytesMax], "") + "…"
	}
	return fmt.Sprintf("%s wants to call %s with %s. Answer yes to approve it. Anything else refuses it and is told to the agent; exit ends the conversation.",
		f.name(s.Pending.Agent), c.Name, shown)
}

// exchanged is what an agent reads of the calls that it has made for the answer that it is making.
func exchanged(rounds []round) []provider.Message {
	var out []provider.Message
	for _, r := range rounds {
		made := make([]map[string]any, len(r.Calls))
		for i, c := range r.Calls {
			made[i] = map[string]any{"id": c.ID, "type": "function", "function": map[string]string{"name": c.Name, "arguments": c.Arguments}}
		}
		asked := map[string]any{"role": provider.RoleAssistant, "content": nil, "tool_calls": made}
		if r.Text != "" {
			asked["content"] = r.Text
		}
		out = append(out, provider.Message{Role: provider.RoleAssistant, Content: r.Text, Beside: written(made), Raw: written(asked)})
		for _, c := range r.Calls {
			out = append(out, provider.Message{Role: provider.RoleTool, Content: c.Result, Raw: written(map[string]any{
				"role": provider.RoleTool, "tool_call_id": c.ID, "content": c.Result,
			})})
		}
	}
	return out
}

func written(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err) // texts always encode
	}
	return string(raw)
}

// ToolIDs are the tools that agents name.
func (f *Flow) ToolIDs() []string {
	var ids []string
	for _, nodeID := range f.order {
		ids = append(ids, f.agents[nodeID].Tools...)
		ids = append(ids, f.agents[nodeID].executes...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// WithTool is the first node that names a tool.
func (f *Flow) WithTool(toolID string) string {
	for _, nodeID := range f.order {
		if a := f.agents[nodeID]; slices.Contains(a.Tools, toolID) || slices.Contains(a.executes, toolID) {
			return nodeID
		}
	}
	return ""
}
