// Package flow is the model of flows: graphs of agents that talk to each other,
// as the original project's editor writes them. It parses and validates a
// definition, and says what has to happen next in a run. It calls no model and
// stores nothing: a run's State is plain data, and each step is a pure function
// of it, so that whoever drives a run can store every step before the next one.
package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// The bounds of a definition.
const (
	NodesMax = 100
	EdgesMax = 200
	// TurnsMax bounds the rounds of a chat or of a group.
	TurnsMax = 50
	// RepliesMax is how often an agent answers in a row without a person, unless it says otherwise.
	RepliesMax = 10
	// ToolsMax is how many tools an agent has.
	ToolsMax = 20
	// RoundsMax is how many rounds a group has unless it says otherwise.
	RoundsMax = 10
)

// When an agent asks a person.
const (
	Never     = "NEVER"
	Always    = "ALWAYS"
	Terminate = "TERMINATE" // only where the chat would end otherwise
)

// How a group finds who speaks next.
const (
	Auto       = "auto" // a model chooses
	Manual     = "manual"
	Random     = "random"
	RoundRobin = "round_robin"
)

// How a model is offered tools, beside the name of the one function that it has to call.
const (
	choiceAuto     = "auto"
	choiceNone     = "none"
	choiceRequired = "required"
)

// What of a chat is carried over to the next one.
const (
	LastMessage = "last_msg"
	Reflection  = "reflection_with_llm"
)

// defaultPhrase ends a chat when a message holds it and the agent names no other.
const defaultPhrase = "TERMINATE"

// Problem is why a definition cannot be run.
type Problem struct {
	Node   string // the node's id; "" when it is about the flow as a whole
	Reason string // a sentence for the flow's author
}

// document is a definition as it is written. What an editor keeps beside it, positions for example, is ignored.
type document struct {
	Nodes []struct {
		ID       text            `json:"id"`
		Type     string          `json:"type"`
		ParentID text            `json:"parentId"`
		Parent   text            `json:"parentNode"` // the editor's older name of it
		Data     json.RawMessage `json:"data"`
	} `json:"nodes"`
	Edges []struct {
		Source text            `json:"source"`
		Target text            `json:"target"`
		Data   json.RawMessage `json:"data"`
	} `json:"edges"`
}

// text is an id, which some exports write as a number.
type text string

// UnmarshalJSON takes a string or a number.
func (t *text) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		*t = text(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(raw, &n); err != nil {
		return errors.New("an id is a string")
	}
	*t = text(n)
	return nil
}

// nodeData is what a node says of its agent.
type nodeData struct {
	Name           string          `json:"name"`
	Label          string          `json:"label"`
	Class          string          `json:"class"`
	SystemMessage  string          `json:"system_message"`
	Description    string          `json:"description"`
	HumanInputMode string          `json:"human_input_mode"`
	MaxReplies     *int            `json:"max_consecutive_auto_reply"`
	TerminationMsg string          `json:"termination_msg"`
	CodeConfig     json.RawMessage `json:"code_execution_config"`
	EnableCode     *bool           `json:"enable_code_execution"`
	DisableLLM     *bool           `json:"disable_llm"`
	Model          string          `json:"model"`
	Temperature    *float64        `json:"temperature"`
	MaxTokens      int             `json:"max_tokens"`
	AgentID        string          `json:"agent_id"`
	MaxRound       *int            `json:"max_round"`
	Selection      string          `json:"speaker_selection_method"`
	Introductions  bool            `json:"send_introductions"`
	InvolveUser    bool            `json:"involve_user"`
	Retrieve       *struct {
		DocsPath json.RawMessage `json:"docs_path"`
	} `json:"retrieve_config"`
	Tools *struct {
		LLM       []text `json:"llm"`
		Execution []text `json:"execution"`
	} `json:"tools"`
	ToolChoice string `json:"tool_choice"`
}

type edgeData struct {
	Message       string `json:"message"`
	SummaryPrompt string `json:"summary_prompt"`
	SummaryMethod string `json:"summary_method"`
	MaxTurns      *int   `json:"max_turns"`
}

// kind is what a node does in a run.
type kind int

const (
	ignored     kind = iota // notes and settings of the editor
	initializer             // names who starts
	assistant
	user
	group
	nested
	knowledge     // an assistant that answers from knowledge
	knowledgeUser // a person's stand-in that offers knowledge to whom it talks with
)

var kinds = map[string]kind{
	"config": ignored, "note": ignored, "initializer": initializer,
	"assistant": assistant, "conversable": assistant, "custom_conversable": assistant,
	"user": user, "group": group, "groupchat": group, "nestedchat": nested,
	"retrieve_assistant": knowledge, "retrieve_user": knowledgeUser,
}

// classes are those of the original project that mean no more than their node's type.
var classes = map[string]bool{
	"": true, "AssistantAgent": true, "UserProxyAgent": true, "ConversableAgent": true, "GroupChat": true, "GroupChatManager": true,
	"NestedChat": true, "RetrieveAssistantAgent": true, "RetrieveUserProxyAgent": true, "Initializer": true, "Note": true, "Config": true,
}

// Agent is a node that takes part in runs.
type Agent struct {
	ID, Name      string
	Description   string
	SystemMessage string
	AgentID       string // an agent of the account whose persona and knowledge it has; "" for none
	ModelID       string // "" for the agent's or the default
	Temperature   *float64
	MaxTokens     int      // of an answer; 0 leaves it to the model
	Tools         []string // of the account, which its model may call

	kind       kind
	input      string // Never, Always or Terminate
	maxReplies int
	phrase     string
	mute       bool     // has no model
	choice     string   // how its model is offered tools
	executes   []string // tools that the original project has it run; the server runs all

	members   []string // of a group
	maxRounds int
	selection string
	introduce bool
	involve   bool  // whoever begins the chat is a member
	inner     []int // of an agent with nested chats: their edges
}

// edge is a chat that one agent begins with another.
type edge struct {
	from, to string
	message  string
	method   string // LastMessage or Reflection
	prompt   string
	maxTurns int // 0 is without limit
}

// Flow is a valid definition.
type Flow struct {
	agents map[string]*Agent
	order  []string // of the nodes
	edges  []edge
	start  string
}

// Parse reads a definition. With problems there is no flow.
func Parse(raw []byte) (*Flow, []Problem) {
	var doc document
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, []Problem{{Reason: "The flow is not an object with nodes and edges: " + wrongType(err) + "."}}
	}
	p := parser{flow: &Flow{agents: map[string]*Agent{}}, doc: doc, parents: map[string]string{}, kinds: map[string]kind{}}
	p.nodes()
	if len(p.problems) == 0 {
		p.connect()
	}
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	return p.flow, nil
}

// wrongType names the member of a wrong type without repeating what stands there.
func wrongType(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return fmt.Sprintf("%s has the wrong type", wrong.Field)
	}
	return "a member has the wrong type"
}

// Starter is who begins a run, and with whom it talks first, by name.
func (f *Flow) Starter() (sender, receiver string) {
	first := f.firstEdge()
	return f.name(first.from), f.name(first.to)
}

// AgentIDs are the account's agents that take part.
func (f *Flow) AgentIDs() []string {
	var ids []string
	for _, nodeID := range f.order {
		if a := f.agents[nodeID]; a.AgentID != "" {
			ids = append(ids, a.AgentID)
		}
	}
	return ids
}

// ModelIDs are the models that agents name.
func (f *Flow) ModelIDs() []string {
	var ids []string
	for _, nodeID := range f.order {
		if a := f.agents[nodeID]; a.ModelID != "" {
			ids = append(ids, a.ModelID)
		}
	}
	return ids
}

// caller is who writes to a flow that names no person.
const caller = "User"

func (f *Flow) name(nodeID string) string {
	if a := f.agents[nodeID]; a != nil {
		return a.Name
	}
	return caller
}

// holds tells whether a message holds the phrase, whatever its case.
func holds(message, phrase string) bool {
	return strings.Contains(strings.ToLower(message), strings.ToLower(phrase))
}

// With is the first node that names an agent of the account, or a model.
func (f *Flow) With(agentID, modelID string) string {
	for _, nodeID := range f.order {
		a := f.agents[nodeID]
		if agentID != "" && a.AgentID == agentID || modelID != "" && a.ModelID == modelID {
			return nodeID
		}
	}
	return ""
}
