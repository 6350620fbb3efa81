package flow

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

type parser struct {
	flow     *Flow
	doc      document
	parents  map[string]string // of nodes within a group or nested chats
	kinds    map[string]kind   // of all nodes
	problems []Problem
}

func (p *parser) problem(node, format string, args ...any) {
	p.problems = append(p.problems, Problem{Node: node, Reason: fmt.Sprintf(format, args...)})
}

// nodes reads each node for itself.
func (p *parser) nodes() {
	if len(p.doc.Nodes) > NodesMax || len(p.doc.Edges) > EdgesMax {
		p.problem("", "A flow has at most %d nodes and %d edges.", NodesMax, EdgesMax)
		return
	}
	names := map[string]string{}
	for _, n := range p.doc.Nodes {
		nodeID := string(n.ID)
		if _, twice := p.kinds[nodeID]; twice || nodeID == "" || len(nodeID) > 200 {
			p.problem(nodeID, "Every node has an id of its own, of at most 200 bytes.")
			continue
		}
		k, known := kinds[n.Type]
		p.kinds[nodeID] = k
		if !known {
			p.problem(nodeID, "Nodes of this type cannot be run here; the types are assistant, conversable, user, group, groupchat, nestedchat, retrieve_assistant, retrieve_user, initializer, config and note.")
			continue
		}
		p.parents[nodeID] = string(n.ParentID)
		if n.ParentID == "" {
			p.parents[nodeID] = string(n.Parent)
		}
		if k == ignored || k == initializer {
			continue
		}
		a := p.agent(nodeID, k, n.Data)
		if a == nil {
			continue
		}
		if other, taken := names[strings.ToLower(a.Name)]; taken {
			p.problem(nodeID, "It has the same name as the node %s; names tell agents apart.", other)
		}
		names[strings.ToLower(a.Name)] = nodeID
		p.flow.agents[nodeID] = a
		p.flow.order = append(p.flow.order, nodeID)
	}
}

// agent reads what a node says of its agent; nil when it cannot be read.
func (p *parser) agent(nodeID string, k kind, raw json.RawMessage) *Agent {
	var d nodeData
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &d); err != nil {
			p.problem(nodeID, "data: %s.", wrongType(err))
			return nil
		}
	}
	p.offered(nodeID, d)
	a := &Agent{
		ID: nodeID, Name: firstOf(d.Name, d.Label, nodeID), Description: d.Description, SystemMessage: d.SystemMessage,
		AgentID: d.AgentID, ModelID: d.Model, Temperature: d.Temperature, MaxTokens: d.MaxTokens,
		kind: k, input: firstOf(d.HumanInputMode, Never), maxReplies: RepliesMax, phrase: firstOf(strings.TrimSpace(d.TerminationMsg), defaultPhrase),
		maxRounds: RoundsMax, selection: firstOf(d.Selection, Auto), introduce: d.Introductions, involve: d.InvolveUser,
	}
	if (k == user || k == knowledgeUser) && d.HumanInputMode == "" {
		a.input = Always
	}
	a.mute = k == user || k == knowledgeUser
	if d.DisableLLM != nil {
		a.mute = *d.DisableLLM
	}
	if d.MaxReplies != nil {
		a.maxReplies = *d.MaxReplies
	}
	if d.MaxRound != nil && *d.MaxRound > 0 {
		a.maxRounds = *d.MaxRound
	}
	p.tools(a, d)
	p.bounds(a, d)
	return a
}

// tools reads which tools an agent names, and how its model is offered them.
func (p *parser) tools(a *Agent, d nodeData) {
	a.choice = firstOf(d.ToolChoice, choiceAuto)
	if len(a.choice) > 64 {
		p.problem(a.ID, "tool_choice: is auto, required, none, or the name of a function.")
	}
	if d.Tools == nil {
		return
	}
	if len(d.Tools.LLM) > ToolsMax || len(d.Tools.Execution) > ToolsMax {
		p.problem(a.ID, "tools: an agent has at most %d.", ToolsMax)
		return
	}
	for _, id := range d.Tools.LLM {
		a.Tools = append(a.Tools, string(id))
	}
	for _, id := range d.Tools.Execution {
		a.executes = append(a.executes, string(id))
	}
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// offered refuses what this server does not do.
func (p *parser) offered(nodeID string, d nodeData) {
	if !classes[d.Class] {
		p.problem(nodeID, "class: agents of this class are not offered.")
	}
	configured := string(d.CodeConfig)
	if d.EnableCode != nil && *d.EnableCode || d.EnableCode == nil && !slices.Contains([]string{"", "null", "false", "{}"}, configured) {
		p.problem(nodeID, "Code is not executed on this server: set enable_code_execution to false.")
	}
	if d.Retrieve != nil && !slices.Contains([]string{"", "null", `""`, "[]"}, string(d.Retrieve.DocsPath)) {
		p.problem(nodeID, "retrieve_config.docs_path: files of the server are not read; name an agent that has knowledge with agent_id.")
	}
}

func (p *parser) bounds(a *Agent, d nodeData) {
	within := func(member string, value *int, least, most int) {
		if value != nil && (*value < least || *value > most) {
			p.problem(a.ID, "%s: is between %d and %d.", member, least, most)
		}
	}
	within("max_consecutive_auto_reply", d.MaxReplies, 0, TurnsMax)
	within("max_round", d.MaxRound, 0, TurnsMax)
	within("max_tokens", &d.MaxTokens, 0, 1_000_000)
	if a.Temperature != nil && (*a.Temperature < 0 || *a.Temperature > 2) {
		p.problem(a.ID, "temperature: is between 0 and 2.")
	}
	if !slices.Contains([]string{Never, Always, Terminate}, a.input) {
		p.problem(a.ID, "human_input_mode: is one of NEVER, ALWAYS and TERMINATE.")
	}
	if !slices.Contains([]string{Auto, Manual, Random, RoundRobin}, a.selection) {
		p.problem(a.ID, "speaker_selection_method: is one of auto, manual, random and round_robin.")
	}
	if len(a.Name) > 200 || strings.TrimSpace(a.Name) == "" {
		p.problem(a.ID, "name: has between 1 and 200 bytes.")
	}
	for member, text := range map[string]string{"agent_id": a.AgentID, "model": a.ModelID} {
		if len(text) > 200 {
			p.problem(a.ID, "%s: has at most 200 bytes.", member)
		}
	}
	if (a.kind == knowledge || a.kind == knowledgeUser) && a.AgentID == "" {
		p.problem(a.ID, "agent_id: name the agent of the account whose knowledge it has.")
	}
}

// connect reads the edges and finds who belongs where.
func (p *parser) connect() {
	var initial []string // targets of initializers
	targets := map[string][]string{}
	upstream := map[string][]string{}
	for i, e := range p.doc.Edges {
		from, to := string(e.Source), string(e.Target)
		if _, known := p.kinds[from]; !known {
			p.problem("", "The edge at position %d begins at a node that does not exist.", i)
			continue
		}
		if _, known := p.kinds[to]; !known {
			p.problem(from, "An edge leads from it to a node that does not exist.")
			continue
		}
		if p.kinds[from] == initializer && p.kinds[to] > initializer {
			initial = append(initial, to)
		}
		if p.kinds[from] <= initializer || p.kinds[to] <= initializer {
			continue
		}
		targets[from], upstream[to] = append(targets[from], to), append(upstream[to], from)
		p.edge(from, to, e.Data)
	}
	p.groups(targets)
	p.nests(targets, upstream)
	p.begin(initial, upstream)
}

func (p *parser) edge(from, to string, raw json.RawMessage) {
	var d edgeData
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &d); err != nil {
			p.problem(from, "data of its edge to %s: %s.", to, wrongType(err))
			return
		}
	}
	e := edge{from: from, to: to, message: d.Message, method: firstOf(d.SummaryMethod, LastMessage), prompt: d.SummaryPrompt}
	if e.method != LastMessage && e.method != Reflection {
		p.problem(from, "summary_method of its edge to %s: is one of last_msg and reflection_with_llm.", to)
	}
	if d.MaxTurns != nil {
		e.maxTurns = *d.MaxTurns
	}
	if e.maxTurns < 0 || e.maxTurns > TurnsMax {
		p.problem(from, "max_turns of its edge to %s: is between 0 and %d.", to, TurnsMax)
	}
	p.flow.edges = append(p.flow.edges, e)
}

// groups gives groups their members: the nodes inside, or where there are none those that it leads to.
func (p *parser) groups(targets map[string][]string) {
	for _, nodeID := range p.flow.order {
		g := p.flow.agents[nodeID]
		if g.kind != group {
			continue
		}
		if g.members = p.inside(nodeID); len(g.members) == 0 {
			g.members = targets[nodeID]
			p.flow.edges = slices.DeleteFunc(p.flow.edges, func(e edge) bool { return e.from == nodeID })
		}
		if len(g.members) == 0 {
			p.problem(nodeID, "A group has at least one member: a node inside of it, or one that it leads to.")
		}
		for _, member := range g.members {
			m := p.flow.agents[member]
			if m.kind == group || m.kind == nested {
				p.problem(member, "Members of groups are agents and people.")
			}
			p.parents[member] = nodeID
		}
	}
}

func (p *parser) inside(nodeID string) []string {
	var found []string
	for _, other := range p.flow.order {
		if p.parents[other] == nodeID {
			found = append(found, other)
		}
	}
	return found
}

// nests makes the chats within nested ones those of the agent that leads to them.
func (p *parser) nests(targets, upstream map[string][]string) {
	for _, nodeID := range p.flow.order {
		n := p.flow.agents[nodeID]
		if n.kind != nested {
			continue
		}
		inner := p.inside(nodeID)
		for _, target := range targets[nodeID] {
			if !slices.Contains(inner, target) {
				inner = append(inner, target)
			}
		}
		if len(upstream[nodeID]) != 1 || len(inner) == 0 {
			p.problem(nodeID, "Nested chats belong to exactly one agent, which leads to them, and have at least one node inside.")
			continue
		}
		owner := p.flow.agents[upstream[nodeID][0]]
		if owner.kind == group || owner.kind == nested || slices.Contains(inner, owner.ID) {
			p.problem(nodeID, "Nested chats belong to an agent outside of them.")
			continue
		}
		for _, target := range inner {
			e := edge{from: owner.ID, to: target, method: LastMessage}
			for _, drawn := range p.flow.edges {
				if drawn.from == nodeID && drawn.to == target {
					e.message, e.method, e.prompt, e.maxTurns = drawn.message, drawn.method, drawn.prompt, drawn.maxTurns
				}
			}
			if e.maxTurns == 0 {
				e.maxTurns = 1
			}
			owner.inner = append(owner.inner, len(p.flow.edges))
			p.flow.edges = append(p.flow.edges, e)
			p.parents[target] = nodeID
		}
	}
}

// begin finds who starts: whom the initializer leads to, or the first node that nothing leads to.
func (p *parser) begin(initial []string, upstream map[string][]string) {
	switch {
	case len(p.problems) > 0:
		return
	case len(initial) > 1:
		p.problem("", "One initializer leads to one node: the one that starts.")
		return
	case len(initial) == 1:
		p.flow.start = initial[0]
	default:
		for _, nodeID := range p.flow.order {
			if len(upstream[nodeID]) == 0 && p.parents[nodeID] == "" {
				p.flow.start = nodeID
				break
			}
		}
	}
	start := p.flow.agents[p.flow.start]
	if start == nil {
		p.problem("", "No node starts: one has no edge that leads to it, or an initializer leads to one.")
		return
	}
	if start.kind == nested || p.parents[start.ID] != "" {
		p.problem(start.ID, "Neither nested chats nor members of groups start a flow.")
		return
	}
	p.talks()
}

// talks keeps the edges that are chats of their own, beside nested ones. A start that talks with nobody is talked with.
func (p *parser) talks() {
	f := p.flow
	owned := map[int]bool{}
	for _, a := range f.agents {
		for _, i := range a.inner {
			owned[i] = true
		}
	}
	began := false
	for i := range f.edges {
		e := &f.edges[i]
		if owned[i] {
			continue
		}
		if p.kinds[e.from] == nested || p.kinds[e.to] == nested || p.parents[e.from] != "" || p.parents[e.to] != "" || p.kinds[e.from] == group {
			e.from, e.to = "", "" // drawn for people's eyes, or accounted for above
			continue
		}
		began = began || e.from == f.start
	}
	if !began {
		f.edges = append(f.edges, edge{from: "", to: f.start, method: LastMessage, maxTurns: 1})
	}
}
