package flow_test

import (
	"strings"
	"testing"

	"parley/impl/core/flow"
)

func TestWhatCannotBeRunIsRefusedWithNodeAndReason(t *testing.T) {
	t.Parallel()
	data := func(more string) string { return agents("", assistant("a", more)) }
	for name, c := range map[string]struct{ definition, node, reason string }{
		"no object":         {`[]`, "", "wrong type"},
		"no nodes":          {`{}`, "", "No node starts"},
		"type":              {agents("", `{"id":"a","type":"gpt_assistant","data":{}}`), "a", "type cannot be run"},
		"class":             {data(`,"class":"LLaVAAgent"`), "a", "class"},
		"code":              {data(`,"code_execution_config":{"work_dir":"x"}`), "a", "Code is not executed"},
		"code enabled":      {data(`,"enable_code_execution":true`), "a", "Code is not executed"},
		"files":             {data(`,"retrieve_config":{"docs_path":"/etc"}`), "a", "docs_path"},
		"tools":             {data(`,"tools":{"llm":"t"}`), "a", "tools"},
		"many tools":        {data(`,"tools":{"llm":["t"` + strings.Repeat(`,"t"`, flow.ToolsMax) + `]}`), "a", "at most 20"},
		"wrong type":        {data(`,"system_message":5`), "a", "system_message"},
		"mode":              {data(`,"human_input_mode":"SOMETIMES"`), "a", "human_input_mode"},
		"replies":           {data(`,"max_consecutive_auto_reply":51`), "a", "max_consecutive_auto_reply"},
		"temperature":       {data(`,"temperature":3`), "a", "temperature"},
		"selection":         {data(`,"speaker_selection_method":"vote"`), "a", "speaker_selection_method"},
		"twice":             {agents("", assistant("a", ""), assistant("a", "")), "a", "id of its own"},
		"same name":         {agents("", assistant("a", ""), `{"id":"b","type":"assistant","data":{"name":"A"}}`), "b", "same name"},
		"edge to nowhere":   {agents(`{"source":"a","target":"b"}`, assistant("a", "")), "a", "does not exist"},
		"edge from nowhere": {agents(`{"source":"b","target":"a"}`, assistant("a", "")), "", "position 0"},
		"turns":             {agents(`{"source":"a","target":"b","data":{"max_turns":51}}`, assistant("a", ""), assistant("b", "")), "a", "max_turns"},
		"summary":           {agents(`{"source":"a","target":"b","data":{"summary_method":"x"}}`, assistant("a", ""), assistant("b", "")), "a", "summary_method"},
		"empty group":       {agents("", `{"id":"g","type":"group","data":{}}`), "g", "at least one member"},
		"group in a group":  {agents("", `{"id":"g","type":"group","data":{}}`, `{"id":"h","type":"group","parentId":"g","data":{}}`, `{"id":"x","type":"assistant","parentId":"h","data":{}}`), "h", "Members"},
		"nested by nobody":  {agents(`{"source":"n","target":"a"}`, `{"id":"n","type":"nestedchat","data":{}}`, assistant("a", "")), "n", "exactly one agent"},
		"nested by two":     {agents(`{"source":"a","target":"n"},{"source":"b","target":"n"},{"source":"n","target":"c"}`, assistant("a", ""), assistant("b", ""), assistant("c", ""), `{"id":"n","type":"nestedchat","data":{}}`), "n", "exactly one agent"},
		"two initializers":  {agents(`{"source":"i","target":"a"},{"source":"i","target":"b"}`, `{"id":"i","type":"initializer"}`, assistant("a", ""), assistant("b", "")), "", "One initializer"},
		"a ring":            {agents(`{"source":"a","target":"b"},{"source":"b","target":"a"}`, assistant("a", ""), assistant("b", "")), "", "No node starts"},
		"knowledge of none": {agents("", `{"id":"a","type":"retrieve_assistant","data":{}}`), "a", "agent_id"},
		"too many":          {`{"nodes":[` + strings.Repeat(`{"id":"a"},`, flow.NodesMax) + `{"id":"a"}],"edges":[]}`, "", "at most"},
	} {
		f, problems := flow.Parse([]byte(c.definition))
		if f != nil || len(problems) == 0 || problems[0].Node != c.node || !strings.Contains(problems[0].Reason, c.reason) {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

// exported is what the original project's editor writes: positions, sizes, edge ids, notes, an initializer.
const exported = `{"nodes":[
{"width":280,"height":100,"id":"1","type":"initializer","position":{"x":-133,"y":246},"data":{"name":"Initializer","class":"Initializer","label":"initializer","sample_messages":["Hi"]},"selected":false},
{"width":300,"id":"2","type":"user","position":{"x":1,"y":2},"data":{"name":"User","class":"UserProxyAgent","type":"user","human_input_mode":"NEVER","termination_msg":"TERMINATE","enable_code_execution":false,"code_execution_config":{"work_dir":"work_dir","use_docker":false},"max_consecutive_auto_reply":0,"tools":{"llm":[],"execution":[]}},"dragging":false},
{"id":3,"type":"assistant","position":{"x":3,"y":4},"data":{"name":"Assistant","class":"AssistantAgent","system_message":"","human_input_mode":"NEVER","max_consecutive_auto_reply":10}},
{"id":"4","type":"note","position":{"x":0,"y":0},"data":{"name":"Note","class":"Note","content":"A note"}}],
"edges":[{"source":"1","sourceHandle":null,"target":"2","targetHandle":null,"animated":true,"id":"reactflow__edge-1-2"},
{"source":"2","target":"3","type":"converse","id":"reactflow__edge-2-3","data":{"message":"","summary_method":"last_msg","max_turns":null}}],
"viewport":{"x":0,"y":0,"zoom":1}}`

func TestAFlowOfTheOriginalEditorRuns(t *testing.T) {
	t.Parallel()
	p := begin(t, exported, "Hello").toPerson()
	p.want("Assistant>User: Assistant 1")
	p.wantOver()
}
