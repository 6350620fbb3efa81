package flow_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley/impl/core/flow"
)

// play runs a flow with answers by agent, round by round, and people's inputs
// in order. State goes through JSON at every step, as it does when it is stored.
type play struct {
	t       *testing.T
	flow    *flow.Flow
	state   flow.State
	said    []string
	answers map[string][]string
	calls   int
}

func begin(t *testing.T, definition, task string) *play {
	t.Helper()
	f, problems := flow.Parse([]byte(definition))
	if len(problems) > 0 {
		t.Fatalf("problems %v", problems)
	}
	p := &play{t: t, flow: f, answers: map[string][]string{}}
	var messages []flow.Message
	p.state, messages = f.Start(task, 7)
	p.hear(messages)
	return p
}

func (p *play) hear(messages []flow.Message) {
	for _, m := range messages {
		p.said = append(p.said, fmt.Sprintf("%s>%s: %s", m.Sender, m.Receiver, m.Content))
	}
}

func (p *play) took(text string) {
	p.t.Helper()
	raw, err := json.Marshal(p.state)
	if err != nil {
		p.t.Fatal(err)
	}
	var state flow.State
	if err := json.Unmarshal(raw, &state); err != nil {
		p.t.Fatal(err)
	}
	state, messages, err := p.flow.Took(state, text)
	if err != nil {
		p.t.Fatal(err)
	}
	p.state = state
	p.hear(messages)
}

// toPerson answers for models until a person is asked or the run is over. An
// agent without an answer left says its name and a number.
func (p *play) toPerson() *play {
	p.t.Helper()
	for p.state.Pending != nil && !p.state.Human() {
		ask := p.flow.Ask(p.state)
		name := ask.Agent.Name
		p.calls++
		answer := fmt.Sprint(name, " ", p.calls)
		if left := p.answers[name]; len(left) > 0 {
			answer, p.answers[name] = left[0], left[1:]
		}
		p.took(answer)
	}
	return p
}

func (p *play) want(said ...string) {
	p.t.Helper()
	if !slices.Equal(p.said, said) {
		p.t.Errorf("said\n%s\nwant\n%s", strings.Join(p.said, "\n"), strings.Join(said, "\n"))
	}
}

func (p *play) wantOver() {
	p.t.Helper()
	if p.state.Pending != nil || p.state.Failure != "" {
		p.t.Errorf("pending %+v, failure %q", p.state.Pending, p.state.Failure)
	}
}

func agents(edges string, nodes ...string) string {
	return `{"nodes":[` + strings.Join(nodes, ",") + `],"edges":[` + edges + `]}`
}

func assistant(id, more string) string {
	return `{"id":"` + id + `","type":"assistant","data":{"name":"` + id + `"` + more + `}}`
}

func person(id, more string) string {
	return `{"id":"` + id + `","type":"user","data":{"name":"` + id + `"` + more + `}}`
}

func TestAChatOfTwoEndsAfterItsTurns(t *testing.T) {
	t.Parallel()
	p := begin(t, agents(`{"source":"a","target":"b","data":{"max_turns":2,"message":"Debate:"}}`, assistant("a", ""), assistant("b", "")), "cats").toPerson()
	p.want("b>a: b 1", "a>b: a 2", "b>a: b 3")
	p.wantOver()
}

func TestAPhraseEndsAChatInAnyCase(t *testing.T) {
	t.Parallel()
	p := begin(t, agents(`{"source":"a","target":"b"}`, assistant("a", `,"termination_msg":"Done"`), assistant("b", "")), "go")
	p.answers["b"] = []string{"not yet", "it is dONe."}
	p.toPerson().want("b>a: not yet", "a>b: a 2", "b>a: it is dONe.")
	p.wantOver()
}

func TestRepliesInARowAreBounded(t *testing.T) {
	t.Parallel()
	p := begin(t, agents(`{"source":"a","target":"b"}`, assistant("a", `,"max_consecutive_auto_reply":1`), assistant("b", "")), "go").toPerson()
	p.want("b>a: b 1", "a>b: a 2", "b>a: b 3")
	p.wantOver()
}

// Without a person and a model there is nothing to say: the chat ends after the answer.
func TestAMutePartnerEndsAChat(t *testing.T) {
	t.Parallel()
	p := begin(t, agents(`{"source":"me","target":"b"}`, person("me", `,"human_input_mode":"NEVER"`), assistant("b", "")), "go").toPerson()
	p.want("b>me: b 1")
	p.wantOver()
}

func TestAnAgentAloneAnswersOnce(t *testing.T) {
	t.Parallel()
	p := begin(t, agents("", assistant("a", "")), "go").toPerson()
	p.want("a>User: a 1")
	p.wantOver()
}

func TestAPersonIsAskedAlways(t *testing.T) {
	t.Parallel()
	p := begin(t, agents(`{"source":"me","target":"b"}`, person("me", ""), assistant("b", "")), "go").toPerson()
	if !p.state.Human() || p.flow.Asked(p.state) != "me" || !strings.Contains(p.flow.Prompt(p.state), "Answer b as me") {
		t.Fatalf("pending %+v", p.state.Pending)
	}
	p.took("more")
	p.toPerson().took("") // goes on without an answer
	p.toPerson().took("EXIT")
	p.want("b>me: b 1", "me>b: more", "b>me: b 2", "me>b: Continue.", "b>me: b 3")
	p.wantOver()
}

func TestAPersonIsAskedAtTheEnd(t *testing.T) {
	t.Parallel()
	p := begin(t, agents(`{"source":"a","target":"b"}`, assistant("a", `,"human_input_mode":"TERMINATE","max_consecutive_auto_reply":1`), assistant("b", "")), "go").toPerson()
	if !p.state.Human() || p.calls != 3 {
		t.Fatalf("pending %+v after %d calls", p.state.Pending, p.calls)
	}
	p.took("go on") // counts anew
	p.toPerson().took("")
	p.want("b>a: b 1", "a>b: a 2", "b>a: b 3", "a>b: go on", "b>a: b 4", "a>b: a 5", "b>a: b 6")
	p.wantOver()
}

func TestAnAgentWithAModelGoesOnWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	p := begin(t, agents(`{"source":"a","target":"b","data":{"max_turns":2}}`, assistant("a", `,"human_input_mode":"ALWAYS"`), assistant("b", "")), "go").toPerson()
	p.took("")
	p.toPerson().want("b>a: b 1", "a>b: a 2", "b>a: b 3")
	p.wantOver()
}

func TestChatsFollowEachOtherWithWhatCameOfThem(t *testing.T) {
	t.Parallel()
	p := begin(t, agents(`{"source":"me","target":"b","data":{"max_turns":1}},{"source":"me","target":"c","data":{"max_turns":1,"message":"Translate"}},{"source":"c","target":"d","data":{"max_turns":1}}`,
		person("me", `,"human_input_mode":"NEVER"`), assistant("b", ""), assistant("c", ""), assistant("d", "")), "go").toPerson()
	p.want("b>me: b 1", "me>c: Translate\n\nContext:\nb 1", "c>me: c 2", "c>d: go\n\nContext:\nb 1\nc 2", "d>c: d 3")
	p.wantOver()
}

func TestAReflectionIsCarriedOver(t *testing.T) {
	t.Parallel()
	p := begin(t, agents(`{"source":"a","target":"b","data":{"max_turns":1,"summary_method":"reflection_with_llm","summary_prompt":"In short?"}},{"source":"a","target":"c","data":{"max_turns":1}}`,
		assistant("a", ""), assistant("b", ""), assistant("c", "")), "go")
	p.answers["a"] = []string{"the sum"}
	for p.state.Pending.Kind != flow.Sum {
		p.took("b says")
	}
	if ask := p.flow.Ask(p.state); ask.System != "In short?" || ask.Sender != "" || !strings.Contains(ask.History[0].Content, "b: b says") {
		t.Errorf("asked %+v", ask)
	}
	p.toPerson().want("b>a: b says", "a>c: go\n\nContext:\nthe sum", "c>a: c 2")
	p.wantOver()
}

func TestNestedChatsMakeTheirOwnersAnswer(t *testing.T) {
	t.Parallel()
	p := begin(t, agents(`{"source":"me","target":"b","data":{"max_turns":1}},{"source":"b","target":"n"},{"source":"n","target":"c","data":{"message":"Check:"}},{"source":"n","target":"d"}`,
		person("me", `,"human_input_mode":"NEVER"`), assistant("b", ""), `{"id":"n","type":"nestedchat","data":{"name":"n"}}`, assistant("c", ""), assistant("d", "")), "go").toPerson()
	p.want("b>c: Check:\n\ngo", "c>b: c 1", "b>d: go\n\nContext:\nc 1", "d>b: d 2", "b>me: d 2")
	p.wantOver()
}

func group(data string) string {
	return agents(`{"source":"me","target":"g"}`, person("me", `,"human_input_mode":"NEVER"`), `{"id":"g","type":"groupchat","data":{"name":"g"`+data+`}}`,
		`{"id":"x","type":"assistant","parentId":"g","data":{"name":"x","description":"knows x"}}`, `{"id":"y","type":"assistant","parentId":"g","data":{"name":"y"}}`,
		`{"id":"z","type":"assistant","parentNode":"g","data":{"name":"z"}}`)
}

func TestAGroupTakesTurns(t *testing.T) {
	t.Parallel()
	p := begin(t, group(`,"speaker_selection_method":"round_robin","max_round":4`), "go").toPerson()
	p.want("x>g: x 1", "y>g: y 2", "z>g: z 3", "x>g: x 4")
	p.wantOver()
}

func TestAModelChoosesWhoSpeaks(t *testing.T) {
	t.Parallel()
	p := begin(t, group(`,"max_round":3,"send_introductions":true`), "go")
	p.answers["g"] = []string{"I choose Y, not x.", "nobody", "z"}
	if ask := p.flow.Ask(p.state); !strings.Contains(ask.System, "- x: knows x") || ask.Sender != "" {
		t.Errorf("asked %+v", ask)
	}
	p.took("I choose Y, not x.")
	p.answers["g"] = p.answers["g"][1:]
	if ask := p.flow.Ask(p.state); !strings.Contains(ask.System, "You talk in a group of") || ask.History[0].Content != "me: go" {
		t.Errorf("asked %+v", ask)
	}
	p.answers["z"] = []string{"we are done. terminate"}
	p.toPerson().want("y>g: y 1", "z>g: we are done. terminate")
	p.wantOver()
}

func TestAPersonChoosesWhoSpeaks(t *testing.T) {
	t.Parallel()
	p := begin(t, group(`,"speaker_selection_method":"manual","max_round":3`), "go")
	if !strings.Contains(p.flow.Prompt(p.state), "1 x, 2 y, 3 z") {
		t.Errorf("prompt %q", p.flow.Prompt(p.state))
	}
	if _, _, err := p.flow.Took(p.state, "w"); err == nil {
		t.Error("somebody who is not there was chosen")
	}
	p.took("Z")
	p.toPerson().took("1")
	p.toPerson().took("")
	p.toPerson().want("z>g: z 1", "x>g: x 2", "y>g: y 3")
	p.wantOver()
}

func TestARandomChoiceIsTheSameAgain(t *testing.T) {
	t.Parallel()
	first := begin(t, group(`,"speaker_selection_method":"random","max_round":6`), "go").toPerson()
	again := begin(t, group(`,"speaker_selection_method":"random","max_round":6`), "go").toPerson()
	again.want(first.said...)
	if len(first.said) != 6 {
		t.Errorf("said %v", first.said)
	}
}

func TestWhoBeginsAGroupMayBeAMember(t *testing.T) {
	t.Parallel()
	p := begin(t, strings.Replace(group(`,"speaker_selection_method":"round_robin","max_round":4,"involve_user":true`), `"NEVER"`, `"ALWAYS"`, 1), "go").toPerson()
	if !p.state.Human() {
		t.Fatalf("pending %+v", p.state.Pending)
	}
	p.took("I say")
	p.want("x>g: x 1", "y>g: y 2", "z>g: z 3", "me>g: I say")
	p.wantOver()
}

func TestARunAsksModelsABoundedNumberOfTimes(t *testing.T) {
	t.Parallel()
	var edges, nodes []string
	for i := range 9 {
		nodes = append(nodes, assistant(fmt.Sprint("n", i), `,"max_consecutive_auto_reply":50`))
		if i > 0 {
			edges = append(edges, fmt.Sprintf(`{"source":"n0","target":"n%d","data":{"max_turns":50}}`, i))
		}
	}
	p := begin(t, agents(strings.Join(edges, ","), nodes...), "go").toPerson()
	if p.state.Failure == "" || p.calls != flow.CallsMax {
		t.Errorf("failure %q after %d calls", p.state.Failure, p.calls)
	}
}

func TestTemplatesRun(t *testing.T) {
	t.Parallel()
	for _, template := range flow.Templates {
		p := begin(t, string(template.Definition), "Hello").toPerson()
		if template.ID == "support-triage" {
			p.took("exit")
		}
		p.wantOver()
		if p.calls < 1 || p.calls > 20 {
			t.Errorf("%s: %d calls", template.ID, p.calls)
		}
		if found, ok := flow.TemplateOf(template.ID); !ok || found.Name != template.Name {
			t.Errorf("%s is not found", template.ID)
		}
	}
}

func TestAskTellsWhoSpeaksAndWhatTheyKnow(t *testing.T) {
	t.Parallel()
	p := begin(t, agents(`{"source":"u","target":"b"}`, `{"id":"u","type":"retrieve_user","data":{"name":"u","agent_id":"agent_1","human_input_mode":"NEVER"}}`,
		assistant("b", `,"system_message":"Be brief.","model":"m","temperature":0.5,"max_tokens":9`)), "What?")
	ask := p.flow.Ask(p.state)
	if ask.Knowledge != "agent_1" || ask.Query != "What?" || ask.System != "Be brief." || !ask.Persona || ask.Sender != "b" || ask.Receiver != "u" {
		t.Errorf("asked %+v", ask)
	}
	if ask.Agent.ModelID != "m" || *ask.Agent.Temperature != 0.5 || ask.Agent.MaxTokens != 9 || ask.Agent.AgentID != "" {
		t.Errorf("agent %+v", ask.Agent)
	}
	if !slices.Equal(p.flow.AgentIDs(), []string{"agent_1"}) || p.flow.With("agent_1", "") != "u" || p.flow.With("", "m") != "b" {
		t.Errorf("agents %v", p.flow.AgentIDs())
	}
	if sender, receiver := p.flow.Starter(); sender != "u" || receiver != "b" {
		t.Errorf("%s begins with %s", sender, receiver)
	}
}
