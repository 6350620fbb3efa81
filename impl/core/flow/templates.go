package flow

import "encoding/json"

// Template is a flow that comes with the server.
type Template struct {
	ID, Name, Description string
	Definition            json.RawMessage
}

// Templates are the gallery, in order. Each is a definition as anybody could write it.
var Templates = []Template{
	{
		ID: "two-agent-debate", Name: "Two-agent debate", Description: "Two agents argue for and against what you write, three times each, without asking you.",
		Definition: json.RawMessage(`{"nodes":[
{"id":"start","type":"initializer","data":{"name":"Start"}},
{"id":"pro","type":"assistant","data":{"name":"Advocate","class":"AssistantAgent","system_message":"Argue in favour of the motion, briefly and with one new argument each time. Answer what the other side said.","human_input_mode":"NEVER"}},
{"id":"con","type":"assistant","data":{"name":"Sceptic","class":"AssistantAgent","system_message":"Argue against the motion, briefly and with one new argument each time. Answer what the other side said.","human_input_mode":"NEVER"}}
],"edges":[
{"source":"start","target":"pro"},
{"source":"pro","target":"con","type":"converse","data":{"message":"The motion to debate:","max_turns":3}}
]}`),
	},
	{
		ID: "writer-and-critic", Name: "Writer and critic", Description: "A writer drafts what you ask for and revises it until the critic approves, three times at most.",
		Definition: json.RawMessage(`{"nodes":[
{"id":"start","type":"initializer","data":{"name":"Start"}},
{"id":"critic","type":"assistant","data":{"name":"Critic","class":"AssistantAgent","system_message":"You review drafts. Name the two most important things to improve. When nothing is left to improve, answer APPROVED.","human_input_mode":"NEVER"}},
{"id":"writer","type":"assistant","data":{"name":"Writer","class":"AssistantAgent","system_message":"You write what you are asked for. When you are given a review, answer with the whole improved text.","human_input_mode":"NEVER","termination_msg":"APPROVED"}}
],"edges":[
{"source":"start","target":"critic"},
{"source":"critic","target":"writer","type":"converse","data":{"max_turns":3}}
]}`),
	},
	{
		ID: "researcher-with-knowledge", Name: "Researcher with knowledge", Description: "A researcher collects what bears on your question, and an editor writes the answer. To let the researcher use knowledge of your own, copy the flow and set its agent_id.",
		Definition: json.RawMessage(`{"nodes":[
{"id":"start","type":"initializer","data":{"name":"Start"}},
{"id":"desk","type":"user","data":{"name":"Desk","class":"UserProxyAgent","human_input_mode":"NEVER"}},
{"id":"researcher","type":"assistant","data":{"name":"Researcher","class":"AssistantAgent","system_message":"Collect the facts that bear on the question. Say where each comes from, and what you do not know.","human_input_mode":"NEVER"}},
{"id":"editor","type":"assistant","data":{"name":"Editor","class":"AssistantAgent","system_message":"Write a clear answer to the question from the facts in the context, and from nothing else.","human_input_mode":"NEVER"}}
],"edges":[
{"source":"start","target":"desk"},
{"source":"desk","target":"researcher","type":"converse","data":{"max_turns":1,"summary_method":"last_msg"}},
{"source":"desk","target":"editor","type":"converse","data":{"max_turns":1}}
]}`),
	},
	{
		ID: "support-triage", Name: "Support triage with a person", Description: "An agent sorts a request and drafts an answer; a person of yours approves or corrects it before the conversation goes on.",
		Definition: json.RawMessage(`{"nodes":[
{"id":"start","type":"initializer","data":{"name":"Start"}},
{"id":"person","type":"user","data":{"name":"Support","class":"UserProxyAgent","human_input_mode":"ALWAYS"}},
{"id":"triage","type":"assistant","data":{"name":"Triage","class":"AssistantAgent","system_message":"Say in one line how urgent the request is and which team it belongs to, then draft an answer to the customer. When you are corrected, draft it again.","human_input_mode":"NEVER"}}
],"edges":[
{"source":"start","target":"person"},
{"source":"person","target":"triage","type":"converse","data":{}}
]}`),
	},
	{
		ID: "moderated-group", Name: "Group chat with a moderator", Description: "A product manager, an engineer and a designer discuss what you write; a moderator decides who speaks, for six rounds at most.",
		Definition: json.RawMessage(`{"nodes":[
{"id":"start","type":"initializer","data":{"name":"Start"}},
{"id":"host","type":"user","data":{"name":"Host","class":"UserProxyAgent","human_input_mode":"NEVER"}},
{"id":"table","type":"groupchat","data":{"name":"Moderator","class":"GroupChat","max_round":6,"speaker_selection_method":"auto","send_introductions":true}},
{"id":"manager","type":"assistant","parentId":"table","data":{"name":"Manager","class":"AssistantAgent","description":"Weighs value for customers against effort, and closes the discussion.","system_message":"You are a product manager. Be brief. When the group has decided, sum it up and write TERMINATE."}},
{"id":"engineer","type":"assistant","parentId":"table","data":{"name":"Engineer","class":"AssistantAgent","description":"Knows what can be built and what it costs.","system_message":"You are an engineer. Be brief and concrete."}},
{"id":"designer","type":"assistant","parentId":"table","data":{"name":"Designer","class":"AssistantAgent","description":"Speaks for the people who will use it.","system_message":"You are a designer. Be brief and concrete."}}
],"edges":[
{"source":"start","target":"host"},
{"source":"host","target":"table","type":"converse","data":{"max_turns":1}}
]}`),
	},
}

// TemplateOf finds a template by id.
func TemplateOf(id string) (Template, bool) {
	for _, t := range Templates {
		if t.ID == id {
			return t, true
		}
	}
	return Template{}, false
}
