package flow

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"parley/impl/core/fault"
)

// decideGroup finds who speaks next in a group, or what its next speaker needs.
func (f *Flow) decideGroup(s *State, t *talk, g *Agent) {
	last := t.Said[len(t.Said)-1].Text
	switch {
	case t.Turns >= g.maxRounds, len(t.Said) > 1 && t.Next == "" && holds(last, g.phrase):
		t.Over = true
	case t.Next == "":
		f.selectSpeaker(s, t, g)
	default:
		a := f.agents[t.Next]
		switch {
		case a.input == Always:
			s.Pending = &Pending{Kind: Person, Agent: a.ID}
		case t.Replies[a.ID] < a.maxReplies:
			f.answer(s, t, a)
		case a.input == Terminate:
			s.Pending = &Pending{Kind: Person, Agent: a.ID}
		default:
			f.pass(t)
		}
	}
}

func (f *Flow) selectSpeaker(s *State, t *talk, g *Agent) {
	candidates := f.candidates(t, g)
	switch {
	case len(candidates) == 1:
		t.Next = candidates[0]
	case g.selection == RoundRobin:
		t.Next = f.following(t, g)
	case g.selection == Random:
		t.Next = candidates[int(drawn(s, t)%uint64(len(candidates)))]
	case g.selection == Manual:
		s.Pending = &Pending{Kind: Choose, Agent: g.ID}
	default:
		s.Pending = &Pending{Kind: Select, Agent: g.ID}
	}
}

// speakers are who may speak in a group, in order.
func (f *Flow) speakers(t *talk, g *Agent) []string {
	all := slices.Clone(g.members)
	if from := f.edges[t.Edge].from; g.involve && f.agents[from] != nil && !slices.Contains(all, from) {
		all = append(all, from)
	}
	return all
}

// candidates are all who may speak but who just did, unless nobody else may.
func (f *Flow) candidates(t *talk, g *Agent) []string {
	all := f.speakers(t, g)
	others := slices.DeleteFunc(slices.Clone(all), func(nodeID string) bool { return nodeID == t.Speaker })
	if len(others) == 0 {
		return all
	}
	return others
}

// following is who comes after who spoke last.
func (f *Flow) following(t *talk, g *Agent) string {
	all := f.speakers(t, g)
	return all[(slices.Index(all, t.Speaker)+1)%len(all)]
}

// drawn is the same number whenever the same step is taken again.
func drawn(s *State, t *talk) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(strconv.FormatUint(s.Seed, 10) + " " + strconv.Itoa(t.Edge) + " " + strconv.Itoa(t.Turns)))
	return h.Sum64()
}

// named finds the speaker whom a model's answer names first; who follows when it names nobody.
func (f *Flow) named(t *talk, g *Agent, answer string) string {
	answer = strings.ToLower(answer)
	best, at := f.following(t, g), len(answer)
	for _, nodeID := range f.candidates(t, g) {
		if i := strings.Index(answer, strings.ToLower(f.name(nodeID))); i >= 0 && i < at {
			best, at = nodeID, i
		}
	}
	return best
}

// chosen finds the speaker whom a person chose by name or position; nothing leaves it to the order.
func (f *Flow) chosen(t *talk, g *Agent, choice string) (string, error) {
	if choice == "" {
		return f.following(t, g), nil
	}
	candidates := f.candidates(t, g)
	for i, nodeID := range candidates {
		if strings.EqualFold(f.name(nodeID), choice) || choice == strconv.Itoa(i+1) {
			return nodeID, nil
		}
	}
	return "", fault.New(fault.Invalid, "Choose who speaks next by name or number: %s.", f.listed(candidates))
}

func (f *Flow) listed(nodeIDs []string) string {
	names := make([]string, len(nodeIDs))
	for i, nodeID := range nodeIDs {
		names[i] = strconv.Itoa(i+1) + " " + f.name(nodeID)
	}
	return strings.Join(names, ", ")
}
