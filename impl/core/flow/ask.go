package flow

import (
	"fmt"
	"strings"

	"parley/impl/core/provider"
)

// Ask is what a run asks a model.
type Ask struct {
	Agent            *Agent // whose model is asked
	Sender, Receiver string // of the message that the answer becomes; "" when it becomes none
	System           string
	Persona          bool // the agent's own persona belongs to it
	History          []provider.Message
	Knowledge        string   // the agent whose knowledge is offered; "" for none
	Query            string   // what is looked up in it
	Tools            []string // the account's tools that the model may call
	ToolChoice       string   // auto, required, none, or the name of the function to call
}

// exit is what a person sends to end a chat.
const exit = "exit"

// goOn is what a person who has no model says by saying nothing.
const goOn = "Continue."

func (s State) talk() *talk { return s.Sequences[len(s.Sequences)-1].Talk }

// Ask returns what the run asks next; only when something of a model is pending.
func (f *Flow) Ask(s State) Ask {
	t := s.talk()
	e := f.edges[t.Edge]
	a := f.agents[s.Pending.Agent]
	ask := Ask{Agent: a}
	switch s.Pending.Kind {
	case Select:
		ask.System = f.selectPrompt(t, a)
		ask.History = f.transcript(t, "Who speaks next? Answer with one name alone.")
	case Sum:
		ask.System = firstOf(e.prompt, "Sum up in a few sentences what came of this conversation, and say so if what was asked was not answered.")
		ask.History = f.transcript(t, "Sum it up.")
	default:
		ask.Persona = true
		ask.Sender, ask.Receiver = a.Name, f.partner(e, a.ID)
		ask.System = f.system(t, e, a)
		ask.History = f.history(t, e, a)
		ask.Query = t.Said[len(t.Said)-1].Text
		ask.Knowledge = f.knowledgeFor(e, a)
		ask.offer(a, s.Rounds)
	}
	return ask
}

// offer lets the model call the agent's tools. It is made to call once at most, and has to answer in the end.
func (ask *Ask) offer(a *Agent, rounds []round) {
	ask.History = append(ask.History, exchanged(rounds)...)
	ask.Tools, ask.ToolChoice = a.Tools, a.choice
	if len(rounds) > 0 {
		ask.ToolChoice = choiceAuto
	}
	if len(rounds) >= RoundsOfCallsMax {
		ask.ToolChoice = choiceNone
	}
}

// partner is to whom an agent of a chat speaks.
func (f *Flow) partner(e edge, nodeID string) string {
	if nodeID == e.to {
		return f.name(e.from)
	}
	return f.name(e.to)
}

// knowledgeFor is the agent whose knowledge helps an answer: its own, or that of whom it talks with.
func (f *Flow) knowledgeFor(e edge, a *Agent) string {
	if a.AgentID != "" {
		return a.AgentID
	}
	for _, other := range []string{e.from, e.to} {
		if o := f.agents[other]; o != nil && o.ID != a.ID && o.kind == knowledgeUser {
			return o.AgentID
		}
	}
	return ""
}

func (f *Flow) system(t *talk, e edge, a *Agent) string {
	parts := []string{a.SystemMessage}
	if g := f.agents[e.to]; g.kind == group {
		if g.introduce {
			parts = append(parts, "You talk in a group of:\n"+f.roles(f.speakers(t, g)))
		}
		parts = append(parts, fmt.Sprintf("You are %q. Write only your own next message, without your name before it.", a.Name))
	}
	return joined(parts...)
}

func (f *Flow) roles(nodeIDs []string) string {
	lines := make([]string, len(nodeIDs))
	for i, nodeID := range nodeIDs {
		a := f.agents[nodeID]
		lines[i] = strings.TrimSuffix(fmt.Sprintf("- %s: %s", a.Name, firstOf(a.Description, a.SystemMessage)), ": ")
	}
	return strings.Join(lines, "\n")
}

func (f *Flow) selectPrompt(t *talk, g *Agent) string {
	return joined(g.SystemMessage, "You moderate a conversation. Choose who speaks next, among:\n"+f.roles(f.candidates(t, g)))
}

// history is a chat as one of its agents reads it: its own messages are the assistant's.
func (f *Flow) history(t *talk, e edge, a *Agent) []provider.Message {
	grouped := f.agents[e.to].kind == group
	out := make([]provider.Message, len(t.Said))
	for i, m := range t.Said {
		switch {
		case m.By == a.ID:
			out[i] = provider.Message{Role: provider.RoleAssistant, Content: m.Text}
		case grouped:
			out[i] = provider.Message{Role: provider.RoleUser, Content: f.name(m.By) + ": " + m.Text}
		default:
			out[i] = provider.Message{Role: provider.RoleUser, Content: m.Text}
		}
	}
	return out
}

// transcript is a chat as somebody outside reads it, with what is asked of them.
func (f *Flow) transcript(t *talk, question string) []provider.Message {
	lines := make([]string, len(t.Said))
	for i, m := range t.Said {
		lines[i] = f.name(m.By) + ": " + m.Text
	}
	return []provider.Message{{Role: provider.RoleUser, Content: strings.Join(lines, "\n\n") + "\n\n" + question}}
}

// Prompt says what a person is asked for; only when a run waits for one.
func (f *Flow) Prompt(s State) string {
	t := s.talk()
	if s.Pending.Kind == Approve {
		return f.approval(s)
	}
	if s.Pending.Kind == Choose {
		return "Who speaks next? " + f.listed(f.candidates(t, f.agents[s.Pending.Agent])) + ". Send nothing to leave it to the order, or exit to end the conversation."
	}
	last := t.Said[len(t.Said)-1]
	return fmt.Sprintf("Answer %s as %s. Send nothing to go on without an answer, or exit to end the conversation.", f.name(last.By), f.name(s.Pending.Agent))
}

// Asked is the name of the agent in whose place a person is asked.
func (f *Flow) Asked(s State) string { return f.name(s.Pending.Agent) }

// Took takes in a model's answer or a person's message: what was pending. It
// changes the state given. A choice of nobody in the group is an Invalid fault.
func (f *Flow) Took(s State, text string) (State, []Message, error) {
	seq := s.Sequences[len(s.Sequences)-1]
	t, pending := seq.Talk, *s.Pending
	text = strings.TrimSpace(text)
	if pending.Kind == Approve {
		return f.approve(s, text)
	}
	s.Rounds = nil
	var out []Message
	switch pending.Kind {
	case Sum:
		f.carry(seq, text)
	case Select:
		t.Next = f.named(t, f.agents[pending.Agent], text)
	case Choose, Person:
		if strings.EqualFold(text, exit) {
			t.Over = true
			break
		}
		var err error
		if out, err = f.tookPerson(&s, t, pending, text); err != nil {
			return s, nil, err
		}
	default:
		out = f.say(t, pending.Agent, text, false)
	}
	if len(s.Sequences) > 0 && s.Sequences[len(s.Sequences)-1].Talk == t && s.Pending != nil && *s.Pending != pending {
		return s, out, nil // it goes on with the agent's own model
	}
	return s, append(out, f.settle(&s)...), nil
}

func (f *Flow) tookPerson(s *State, t *talk, pending Pending, text string) ([]Message, error) {
	a := f.agents[pending.Agent]
	if pending.Kind == Choose {
		next, err := f.chosen(t, a, text)
		t.Next = next
		return nil, err
	}
	if text != "" {
		return f.say(t, a.ID, text, true), nil
	}
	grouped := f.agents[f.edges[t.Edge].to].kind == group
	switch {
	case !grouped && f.ending(t, a):
		t.Over = true
	case a.mute && len(a.inner) == 0 && grouped:
		f.pass(t)
	case a.mute && len(a.inner) == 0:
		return f.say(t, a.ID, goOn, true), nil
	default:
		s.Pending = nil
		f.answer(s, t, a)
		if s.Pending != nil {
			s.Calls++
		}
	}
	return nil, nil
}
