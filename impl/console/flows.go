package console

import (
	"encoding/json"
	"net/http"
	"strings"

	"parley/gen/client"
	"parley/gen/client/chats"
)

// flowsPage is what the page of flows is given.
type flowsPage struct {
	Flows     []chats.Flow
	Next      string
	Templates []chats.FlowTemplate
	Chats     []chats.Chat
	Name      string // as the form had it
	Text      string
}

func (c *Console) showFlows(v *visit) error { return v.showFlows(http.StatusOK, view{}, flowsPage{}) }

func (v *visit) showFlows(status int, page view, data flowsPage) error {
	limit, few := int32(pageSize), int32(10)
	params := &chats.ListFlowsParams{Limit: &limit}
	if cursor := v.URL.Query().Get("cursor"); cursor != "" {
		params.Cursor = &cursor
	}
	var response http.Response
	flows, err := v.api.Chats.ListFlows(v.Context(), params, client.Into(&response))
	if err != nil {
		return err
	}
	templates, err := v.api.Chats.ListFlowTemplates(v.Context())
	if err != nil {
		return err
	}
	newest, err := v.api.Chats.ListChats(v.Context(), &chats.ListChatsParams{Limit: &few})
	if err != nil {
		return err
	}
	data.Flows, data.Next, data.Templates, data.Chats = flows, v.next(&response), templates, newest
	page.Title, page.Nav, page.Data = "Flows", "flows", data
	return v.show(status, "flows", page)
}

// createFlow makes a flow of a template, or of a definition as text.
func (c *Console) createFlow(v *visit) error {
	data := flowsPage{Name: v.field("name"), Text: v.field("definition")}
	input := chats.FlowInput{Name: data.Name}
	if template := v.field("template"); template != "" {
		all, err := v.api.Chats.ListFlowTemplates(v.Context())
		if err != nil {
			return err
		}
		for _, t := range all {
			if t.ID == template {
				input.Flow, input.Description = t.Flow, &t.Description
			}
		}
	} else if err := json.Unmarshal([]byte(data.Text), &input.Flow); err != nil {
		return v.showFlows(http.StatusBadRequest, view{Error: v.at("definition", "The definition is no JSON object with nodes and edges.")}, data)
	}
	if input.Flow.Nodes == nil {
		input.Flow.Nodes = []chats.FlowElement{}
	}
	if input.Flow.Edges == nil {
		input.Flow.Edges = []chats.FlowElement{}
	}
	made, err := v.api.Chats.CreateFlow(v.Context(), input, client.IdempotencyKey(v.attempt()))
	if err != nil {
		status, text, other := v.refusal(err)
		if other != nil {
			return other
		}
		return v.showFlows(status, view{Error: text}, data)
	}
	return v.see("/flows/"+made.ID, "created")
}

// flowPage is the page of one flow.
type flowPage struct {
	Flow  chats.Flow
	Graph graph
}

func (c *Console) showFlow(v *visit) error {
	got, err := v.api.Chats.GetFlow(v.Context(), v.PathValue("id"))
	if err != nil {
		return err
	}
	f := *got
	return v.show(http.StatusOK, "flow", view{Title: f.Name, Nav: "flows", Data: flowPage{f, drawn(f.Flow)}})
}

// changeFlow begins a chat of the flow, or deletes it.
func (c *Console) changeFlow(v *visit) error {
	id := v.PathValue("id")
	if v.field("do") == "delete" {
		if _, err := v.api.Chats.DeleteFlow(v.Context(), id); err != nil {
			return err
		}
		return v.see("/flows", "deleted")
	}
	from := chats.ChatCreationFromType("flow")
	made, err := v.api.Chats.CreateChat(v.Context(), chats.ChatCreation{Name: v.field("name"), FromType: &from, FromFlow: &id}, client.IdempotencyKey(v.attempt()))
	if err != nil {
		return err
	}
	return v.see("/chats/"+made.ID, "created")
}

// chatPage is the page of one chat of a flow.
type chatPage struct {
	Chat     chats.Chat
	Messages []chats.ChatMessage
	Graph    graph
	Text     string // as the form had it
}

// Running tells whether agents are at work.
func (p chatPage) Running() bool { return p.Chat.Status == chats.ChatStatusRunning }

// Waiting tells whether a person is asked.
func (p chatPage) Waiting() bool { return p.Chat.Status == chats.ChatStatusWaitForHumanInput }

func (c *Console) showChat(v *visit) error { return v.showChat(http.StatusOK, view{}, "") }

func (v *visit) showChat(status int, page view, text string) error {
	id := v.PathValue("id")
	got, err := v.api.Chats.GetChat(v.Context(), id, &chats.GetChatParams{})
	if err != nil {
		return err
	}
	messages, err := v.api.Chats.ListChatMessages(v.Context(), id, &chats.ListChatMessagesParams{})
	if err != nil {
		return err
	}
	data := chatPage{Chat: *got, Messages: messages, Text: text}
	if data.Chat.FromFlow != nil {
		flow, err := v.api.Chats.GetFlow(v.Context(), *data.Chat.FromFlow)
		if p := explain(err); err != nil && p.status != http.StatusNotFound { // the chat outlives its flow
			return err
		} else if err == nil {
			data.Graph = drawn(flow.Flow)
		}
	}
	page.Title, page.Nav, page.Data, page.Module = data.Chat.Name, "flows", data, "chat.js"
	return v.show(status, "chat", page)
}

// changeChat says something in a chat, answers it, or ends its run.
func (c *Console) changeChat(v *visit) error {
	id, text := v.PathValue("id"), v.PostFormValue("text")
	var err error
	switch v.field("do") {
	case "cancel":
		_, err = v.api.Chats.CancelChat(v.Context(), id)
	case "delete":
		if _, err = v.api.Chats.DeleteChat(v.Context(), id); err == nil {
			return v.see("/flows", "deleted")
		}
	case "answer":
		_, err = v.api.Chats.SendChatInput(v.Context(), id, chats.ChatHumanInput{Message: &text}, client.IdempotencyKey(v.attempt()))
	default:
		_, err = v.api.Chats.SendChatMessage(v.Context(), id, nil, chats.ChatText{Message: &text}, client.IdempotencyKey(v.attempt()))
	}
	if err != nil {
		status, reason, other := v.refusal(err)
		if other != nil || status == http.StatusNotFound {
			return err
		}
		return v.showChat(status, view{Error: reason}, text)
	}
	return v.see("/chats/"+id, "")
}

// textOf is a member of an element that is a text; "" when it is none.
func textOf(element map[string]any, name string) string {
	text, _ := element[name].(string)
	return strings.TrimSpace(text)
}
