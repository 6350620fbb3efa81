package flow

import (
	"slices"
	"strings"
)

// CallsMax bounds how often a run asks a model.
const CallsMax = 200

// What a run needs next.
const (
	Reply   = "reply"   // of an agent's model
	Select  = "select"  // of a model: who speaks next in a group
	Sum     = "sum"     // of a model: what came of a chat
	Person  = "person"  // a person's message in an agent's place
	Choose  = "choose"  // a person's choice of who speaks next
	Use     = "use"     // the call of a tool
	Approve = "approve" // a person's word about the call of a tool
)

// State is where a run stands. It is plain data, to be stored as JSON.
type State struct {
	Task      string      `json:"task"`
	Sequences []*sequence `json:"sequences"`        // the innermost last; none when the run is over
	Pending   *Pending    `json:"pending"`          // nil when the run is over
	Calls     int         `json:"calls"`            // of models so far
	Seed      uint64      `json:"seed"`             // of random choices
	Failure   string      `json:"failure"`          // why it ended; "" when it ended well
	Rounds    []round     `json:"rounds,omitempty"` // the calls of tools for the answer that is being made
}

// Pending is what a run waits for.
type Pending struct {
	Kind  string `json:"kind"`
	Agent string `json:"agent"` // the node
}

// Human tells whether a run waits for a person.
func (s State) Human() bool {
	return s.Pending != nil && (s.Pending.Kind == Person || s.Pending.Kind == Choose || s.Pending.Kind == Approve)
}

// sequence are chats one after another, each beginning with what came of those before it.
type sequence struct {
	Owner string   `json:"owner,omitempty"` // of nested chats: whose answer they make
	Queue []int    `json:"queue"`           // the edges to come
	Done  []int    `json:"done"`
	Carry []string `json:"carry"` // what came of those done
	Talk  *talk    `json:"talk"`  // the one that goes on; nil between two
}

// talk is one chat.
type talk struct {
	Edge    int            `json:"edge"`
	Said    []said         `json:"said"`
	Turns   int            `json:"turns"`   // answers of whom it was begun with, or rounds of a group
	Replies map[string]int `json:"replies"` // in a row without a person, by agent
	Next    string         `json:"next"`    // who has to answer; "" in a group between two rounds
	Speaker string         `json:"speaker"` // of a group: who spoke last
	Over    bool           `json:"over"`
}

type said struct {
	By   string `json:"by"` // the node; "" for the caller
	Text string `json:"text"`
}

// Message is what somebody said.
type Message struct {
	Sender, Receiver string
	Content          string
	ByPerson         bool
}

// Start begins a run with a person's message, which is not among the messages
// that it returns. Seed makes its random choices.
func (f *Flow) Start(task string, seed uint64) (State, []Message) {
	s := State{Task: task, Seed: seed}
	outer := &sequence{}
	for i, e := range f.edges {
		if f.begins(e) && !f.isInner(i) {
			outer.Queue = append(outer.Queue, i)
		}
	}
	s.Sequences = []*sequence{outer}
	messages := f.settle(&s)
	return s, messages[1:]
}

func (f *Flow) begins(e edge) bool {
	first := f.firstEdge()
	return e.to != "" && e.from == first.from && (first.from != "" || e.to == first.to)
}

func (f *Flow) firstEdge() edge {
	for i, e := range f.edges {
		if e.from == f.start && !f.isInner(i) {
			return e
		}
	}
	return f.edges[len(f.edges)-1] // the caller's
}

func (f *Flow) isInner(i int) bool {
	for _, a := range f.agents {
		if slices.Contains(a.inner, i) {
			return true
		}
	}
	return false
}

// settle takes the run to where it needs something, or to its end.
func (f *Flow) settle(s *State) []Message {
	var out []Message
	s.Pending = nil
	for s.Pending == nil && len(s.Sequences) > 0 {
		seq := s.Sequences[len(s.Sequences)-1]
		switch {
		case seq.Talk == nil && len(seq.Queue) == 0:
			out = append(out, f.leave(s, seq)...)
		case seq.Talk == nil:
			out = append(out, f.open(s, seq))
		case seq.Talk.Over:
			f.close(s, seq)
		default:
			f.decide(s, seq)
		}
	}
	if s.Pending != nil && !s.Human() {
		if s.Calls++; s.Calls > CallsMax {
			s.Pending, s.Sequences, s.Failure = nil, nil, "The run asked models more often than a run may."
		}
	}
	return out
}

// leave ends a sequence. What came of nested chats is their owner's answer.
func (f *Flow) leave(s *State, seq *sequence) []Message {
	s.Sequences = s.Sequences[:len(s.Sequences)-1]
	if seq.Owner == "" {
		return nil
	}
	below := s.Sequences[len(s.Sequences)-1].Talk
	answer := ""
	if n := len(seq.Carry); n > 0 {
		answer = seq.Carry[n-1]
	}
	return f.say(below, seq.Owner, answer, false)
}

// open begins the next chat of a sequence with what is carried over to it.
func (f *Flow) open(s *State, seq *sequence) Message {
	i := seq.Queue[0]
	e := f.edges[i]
	seq.Queue, seq.Done = seq.Queue[1:], append(seq.Done, i)
	var text string
	switch {
	case seq.Owner != "" && len(seq.Carry) == 0:
		below := s.Sequences[len(s.Sequences)-2].Talk
		text = joined(e.message, below.Said[len(below.Said)-1].Text)
	case len(seq.Carry) == 0:
		text = joined(e.message, s.Task)
	default:
		text = joined(firstOf(e.message, s.Task), "Context:\n"+strings.Join(seq.Carry, "\n"))
	}
	seq.Talk = &talk{Edge: i, Said: []said{{By: e.from, Text: text}}, Replies: map[string]int{}}
	if f.agents[e.to].kind != group {
		seq.Talk.Next = e.to
	}
	return Message{Sender: f.name(e.from), Receiver: f.name(e.to), Content: text}
}

func joined(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(t string) bool { return strings.TrimSpace(t) == "" }), "\n\n")
}

// close ends a chat: what came of it is carried over, and whom it was with goes on to its own chats.
func (f *Flow) close(s *State, seq *sequence) {
	e := f.edges[seq.Talk.Edge]
	if seq.Owner == "" {
		for i, next := range f.edges {
			if next.from == e.to && next.to != "" && !f.isInner(i) && !slices.Contains(seq.Done, i) && !slices.Contains(seq.Queue, i) && !f.reversed(seq, next) {
				seq.Queue = append(seq.Queue, i)
			}
		}
	}
	if e.method == Reflection && (len(seq.Queue) > 0 || seq.Owner != "") {
		s.Pending = &Pending{Kind: Sum, Agent: f.summer(e)}
		return
	}
	last := ""
	for _, m := range slices.Backward(seq.Talk.Said) {
		if last = strings.TrimSpace(f.unmarked(e, m.Text)); last != "" {
			break
		}
	}
	f.carry(seq, last)
}

// reversed tells whether the two have had their chat already, begun by the other.
func (f *Flow) reversed(seq *sequence, e edge) bool {
	return slices.ContainsFunc(seq.Done, func(i int) bool { return f.edges[i].from == e.to && f.edges[i].to == e.from })
}

// summer is whose model sums a chat up.
func (f *Flow) summer(e edge) string {
	if a := f.agents[e.from]; a != nil && !a.mute {
		return e.from
	}
	return e.to
}

// unmarked takes the phrases that end chats out of a message.
func (f *Flow) unmarked(e edge, text string) string {
	for _, nodeID := range []string{e.from, e.to} {
		if a := f.agents[nodeID]; a != nil {
			text = strings.ReplaceAll(text, a.phrase, "")
		}
	}
	return text
}

func (f *Flow) carry(seq *sequence, outcome string) {
	seq.Carry = append(seq.Carry, outcome)
	seq.Talk = nil
}

// decide finds what the chat needs next.
func (f *Flow) decide(s *State, seq *sequence) {
	t := seq.Talk
	e := f.edges[t.Edge]
	if f.agents[e.to].kind == group {
		f.decideGroup(s, t, f.agents[e.to])
		return
	}
	a := f.agents[t.Next]
	switch {
	case a == nil:
		t.Over = true // the caller has said all in the beginning
	case a.input == Always:
		s.Pending = &Pending{Kind: Person, Agent: a.ID}
	case f.ending(t, a) && a.input == Never:
		t.Over = true
	case f.ending(t, a):
		s.Pending = &Pending{Kind: Person, Agent: a.ID}
	default:
		f.answer(s, t, a)
	}
}

// ending tells whether the chat ends at the agent unless a person goes on.
func (f *Flow) ending(t *talk, a *Agent) bool {
	return holds(t.Said[len(t.Said)-1].Text, a.phrase) && len(t.Said) > 1 || t.Replies[a.ID] >= a.maxReplies
}

// answer lets an agent answer without a person: by its nested chats, its model, or not at all.
func (f *Flow) answer(s *State, t *talk, a *Agent) {
	switch {
	case len(a.inner) > 0 && !f.within(s, a.ID):
		s.Sequences = append(s.Sequences, &sequence{Owner: a.ID, Queue: slices.Clone(a.inner)})
	case a.mute:
		f.pass(t)
	default:
		s.Pending = &Pending{Kind: Reply, Agent: a.ID}
	}
}

// within tells whether the agent's nested chats are going on.
func (f *Flow) within(s *State, nodeID string) bool {
	return slices.ContainsFunc(s.Sequences, func(q *sequence) bool { return q.Owner == nodeID })
}

// pass lets somebody without a word have had their turn: that ends a chat of two, and a round of a group.
func (f *Flow) pass(t *talk) {
	if f.agents[f.edges[t.Edge].to].kind != group {
		t.Over = true
		return
	}
	t.Turns++
	t.Speaker, t.Next = t.Next, ""
}

// say takes in what somebody said, and whose turn it is then. Who says nothing passes.
func (f *Flow) say(t *talk, nodeID, text string, person bool) []Message {
	if text = strings.TrimSpace(text); text == "" {
		t.Next = nodeID
		f.pass(t)
		return nil
	}
	e := f.edges[t.Edge]
	t.Said = append(t.Said, said{By: nodeID, Text: text})
	t.Replies[nodeID]++
	if person {
		t.Replies[nodeID] = 0
	}
	m := Message{Sender: f.name(nodeID), Receiver: f.name(e.to), Content: text, ByPerson: person}
	if f.agents[e.to].kind == group {
		t.Turns++
		t.Speaker, t.Next = nodeID, ""
		return []Message{m}
	}
	t.Next = e.to
	if nodeID == e.to {
		t.Next, m.Receiver = e.from, f.name(e.from)
		if t.Turns++; e.maxTurns > 0 && t.Turns >= e.maxTurns {
			t.Over = true
		}
	}
	return []Message{m}
}
