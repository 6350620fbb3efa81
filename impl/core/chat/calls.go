package chat

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"parley/db"
	"parley/impl/core/failpoint"
	"parley/impl/core/fault"
	"parley/impl/core/flow"
	"parley/impl/core/provider"
	"parley/impl/core/tool"
	"parley/impl/core/turn"
)

// ToolCall is the payload of what becomes of an agent's call of a tool.
type ToolCall struct {
	CallID    string `json:"call_id"`
	Agent     string `json:"agent"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
	ToolID    string `json:"tool_id,omitempty"` // "" where there is no such tool
	State     string `json:"state"`             // one of flow's Call constants
	Result    string `json:"result,omitempty"`  // once it is over
}

// tellCall tells followers what became of a call.
func (m *move) tellCall(agent string, c flow.Call) {
	m.tell(EventTool, ToolCall{CallID: c.ID, Agent: agent, Name: c.Name, Arguments: c.Arguments, ToolID: c.ToolID, State: c.State, Result: c.Result}, 0)
}

// offered is how the model is told of an agent's tools, in OpenAI's terms; nil without any.
func offered(offers []tool.Offer, choice string) (map[string]json.RawMessage, error) {
	if len(offers) == 0 {
		return nil, nil
	}
	list := make([]any, len(offers))
	for i, o := range offers {
		list[i] = map[string]any{"type": "function", "function": map[string]any{
			"name": o.Function.Name, "description": o.Function.Description, "parameters": o.Function.Parameters,
		}}
	}
	var chosen any = choice
	for _, o := range offers {
		if o.Function.Name == choice {
			chosen = map[string]any{"type": "function", "function": map[string]string{"name": choice}}
		}
	}
	if _, isWord := chosen.(string); isWord && choice != "auto" && choice != "none" && choice != "required" {
		return nil, fault.New(fault.Invalid, "The tool_choice of an agent names a function that none of its tools has.")
	}
	tools, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("encode tools: %w", err)
	}
	how, err := json.Marshal(chosen)
	if err != nil {
		return nil, fmt.Errorf("encode choice of tools: %w", err)
	}
	return map[string]json.RawMessage{"tools": tools, "tool_choice": how}, nil
}

// wished takes in an answer that calls tools, and stores the calls before any is made.
func (s *Service) wished(ctx context.Context, c db.Chat, f *flow.Flow, state flow.State, answer turn.Answer) error {
	offers, err := s.Tools.Offers(ctx, c.AccountID, f.Ask(state).Tools)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return s.fail(ctx, c, fault.From(err).Message)
	}
	if err != nil {
		return err
	}
	calls := make([]flow.Call, len(answer.Calls))
	for i, one := range answer.Calls {
		calls[i] = wish(i, one, offers)
	}
	agent := f.Asked(state)
	state = f.Wished(state, answer.Content, calls)
	m := s.newMove(c)
	for _, call := range calls {
		m.tellCall(agent, call)
	}
	if err := m.stand(f, state); err != nil {
		return err
	}
	err = s.went(ctx, m)
	failpoint.Here(failpoint.ChatWished)
	return err
}

// wish is how a call begins: it waits, goes, or is over.
func wish(i int, one provider.Call, offers []tool.Offer) flow.Call {
	call := flow.Call{ID: one.ID, Name: one.Name, Arguments: one.Arguments, State: flow.CallFailed}
	if call.ID == "" {
		call.ID = "call_" + strconv.Itoa(i+1)
	}
	if call.Arguments == "" {
		call.Arguments = "{}"
	}
	switch offer := offerOf(offers, one.Name); {
	case i >= flow.CallsAtOnceMax:
		call.Result = fmt.Sprintf("Not called: an answer calls at most %d tools.", flow.CallsAtOnceMax)
	case len(one.Arguments) > flow.ArgumentsBytesMax:
		call.Arguments, call.Result = "{}", "Not called: the arguments are too long."
	case offer == nil:
		call.Result = "There is no such tool."
	case offer.Tool.Approval == tool.Always:
		call.ToolID, call.State = offer.Tool.ID, flow.CallWaiting
	default:
		call.ToolID, call.State = offer.Tool.ID, flow.CallGoes
	}
	return call
}

func offerOf(offers []tool.Offer, name string) *tool.Offer {
	for i := range offers {
		if offers[i].Function.Name == name {
			return &offers[i]
		}
	}
	return nil
}

// use makes the pending call and stores what it came to. A server that dies meanwhile leaves it
// to the next attempt, which makes it under the same key.
func (s *Service) use(ctx context.Context, c db.Chat, f *flow.Flow, state flow.State) error {
	call, agent := state.Call(), f.Asked(state)
	call.State, call.Result = flow.CallFailed, "There is no such tool any more."
	offers, err := s.Tools.Offers(ctx, c.AccountID, []string{call.ToolID})
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	if offer := offerOf(offers, call.Name); offer != nil {
		key := sha256.Sum256([]byte(c.ID + " " + strconv.FormatInt(c.Run, 10) + " " + state.CallNumber()))
		calling, leave := s.whileCurrent(ctx, c)
		result, err := s.Tools.Call(calling, *offer, call.Arguments, hex.EncodeToString(key[:16]))
		overtaken := calling.Err() != nil && ctx.Err() == nil
		leave()
		if overtaken {
			return db.ErrNotFound // as if the result could not be stored any more
		}
		if err != nil {
			return err
		}
		failpoint.Here(failpoint.ChatCalled)
		call.State, call.Result = flow.CallDone, result.Text
		if result.Failed {
			call.State = flow.CallFailed
		}
	}
	m := s.newMove(c)
	m.tellCall(agent, call)
	if err := m.stand(f, f.Called(state, call.State, call.Result)); err != nil {
		return err
	}
	return s.went(ctx, m)
}

// whileCurrent is ctx until somebody else changes the chat: whoever cancels a run does not want its
// calls to go on. What it returns beside ends the watching.
func (s *Service) whileCurrent(ctx context.Context, c db.Chat) (context.Context, func()) {
	calling, cancel := context.WithCancel(ctx)
	wake, leave := s.hub.join(c.ID)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for s.pause(calling, wake) {
			now, err := s.DB.Chat(calling, c.AccountID, c.ID)
			if errors.Is(err, db.ErrNotFound) || err == nil && now.Version != c.Version {
				cancel()
			}
		}
	}()
	return calling, func() { cancel(); <-watched; leave() }
}

// approvalOf is the call that a person is asked about; nil when they are asked something else.
func approvalOf(state flow.State) *flow.Call {
	if state.Pending == nil || state.Pending.Kind != flow.Approve {
		return nil
	}
	call := state.Call()
	return &call
}

// answered tells of a person's word about a call, after which the run stands where the state says.
func (m *move) answered(agent string, asked *flow.Call, state flow.State) {
	if asked == nil {
		return
	}
	asked.State = flow.CallRefused // also when the conversation was ended
	for _, now := range state.Latest() {
		if now.ID == asked.ID {
			asked.State, asked.Result = now.State, now.Result
		}
	}
	m.tellCall(agent, *asked)
}
