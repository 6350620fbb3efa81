package console

import (
	"net/http"
	"net/url"

	"parley/gen/client"
	"parley/gen/client/characters"
	"parley/gen/client/webchat"
)

// agentsPage is what the page of agents is given.
type agentsPage struct {
	Agents []characters.Agent
	Next   string
	Form   characters.AgentCreate
}

// Picture is the avatar of an agent on this server; "" without one.
func (agentsPage) Picture(a characters.Agent) string { return own(a.AvatarURL) }

// own is a link's path and query: pages show pictures of this server alone, by whatever name the browser reached it.
func own(link *string) string {
	if link == nil {
		return ""
	}
	u, err := url.Parse(*link)
	if err != nil {
		return ""
	}
	return u.RequestURI()
}

func (c *Console) showAgents(v *visit) error {
	return v.showAgents(http.StatusOK, view{}, agentsPage{})
}

func (v *visit) showAgents(status int, page view, data agentsPage) error {
	limit := int32(pageSize)
	params := &characters.ListAgentsParams{Limit: &limit}
	if cursor := v.URL.Query().Get("cursor"); cursor != "" {
		params.Cursor = &cursor
	}
	var response http.Response
	got, err := v.api.Characters.ListAgents(v.Context(), params, client.Into(&response))
	if err != nil {
		return err
	}
	data.Agents, data.Next = got, v.next(&response)
	page.Title, page.Nav, page.Data = "Agents", "agents", data
	return v.show(status, "agents", page)
}

// createAgent makes an agent and, if so asked, has the first model that paints draw it.
func (c *Console) createAgent(v *visit) error {
	appearance, personality, description := v.field("appearance"), v.field("personality"), v.field("description")
	create := characters.AgentCreate{Name: v.field("name"), AppearancePrompt: &appearance, PersonalityPrompt: &personality, Description: &description}
	if v.field("picture") != "" {
		painters, err := v.api.Characters.ListModels(v.Context(), &characters.ListModelsParams{Type: characters.ListModelsParamsTypeSD})
		if err != nil {
			return err
		}
		for _, painter := range painters[:min(1, len(painters))] {
			create.SDModelID = &painter.ID
		}
	}
	if _, err := v.api.Characters.CreateAgent(v.Context(), &characters.CreateAgentParams{}, create, client.IdempotencyKey(v.attempt())); err != nil {
		status, text, other := v.refusal(err)
		if other != nil {
			return other
		}
		return v.showAgents(status, view{Error: text}, agentsPage{Form: create})
	}
	return v.see("/agents", "created")
}

// changeAgent stores what the form of an agent says, or deletes it.
func (c *Console) changeAgent(v *visit) error {
	id, done := v.PathValue("id"), "saved"
	var err error
	if v.field("do") == "delete" {
		done = "deleted"
		err = v.api.Characters.DeleteAgent(v.Context(), id)
	} else {
		name, personality, description := v.field("name"), v.field("personality"), v.field("description")
		_, err = v.api.Characters.UpdateAgent(v.Context(), id, &characters.UpdateAgentParams{}, characters.AgentUpdate{Name: &name, PersonalityPrompt: &personality, Description: &description})
	}
	if err != nil {
		status, text, other := v.refusal(err)
		if other != nil || status == http.StatusNotFound {
			return err
		}
		return v.showAgents(status, view{Error: text}, agentsPage{})
	}
	return v.see("/agents", done)
}

// talksPage is what the page of conversations is given.
type talksPage struct {
	Of            string // the API that they were had through
	Conversations []characters.Conversation
	Sessions      []webchat.Session
	Next          string // of the conversations
	Newer, Older  string // of the sessions
}

// sessionsShown is how many sessions a page shows, each with its messages.
const sessionsShown = 20

// showTalks shows administrators everything that was said, others what their own APIs list.
func (c *Console) showTalks(v *visit) error {
	if v.isAdmin() {
		return v.showEverything()
	}
	data := talksPage{Of: "characters"}
	page := view{Title: "Conversations", Nav: "conversations"}
	if v.URL.Query().Get("of") == "webchat" {
		data.Of = "webchat"
		number, size, all := v.pageNumber(), int32(sessionsShown), true
		got, err := v.api.Webchat.ListSessions(v.Context(), &webchat.ListSessionsParams{Page: &number, PerPage: &size, IncludeAll: &all})
		if err != nil {
			return err
		}
		data.Sessions = got.Sessions
		last := int64(number)
		if got.Meta.HasMore {
			last++
		}
		data.Newer, data.Older = v.neighbours(int64(number), last)
		page.Data = data
		return v.show(http.StatusOK, "conversations", page)
	}
	limit := int32(pageSize)
	params := &characters.ListConversationsParams{Limit: &limit}
	if cursor := v.URL.Query().Get("cursor"); cursor != "" {
		params.Cursor = &cursor
	}
	var response http.Response
	got, err := v.api.Characters.ListConversations(v.Context(), params, client.Into(&response))
	if err != nil {
		return err
	}
	data.Conversations, data.Next = got, v.next(&response)
	page.Data = data
	return v.show(http.StatusOK, "conversations", page)
}

// talkPage is the transcript of a conversation.
type talkPage struct {
	Conversation characters.Conversation
	Messages     []characters.Message
	Next         string
}

// Picture is the picture of a message on this server.
func (talkPage) Picture(i *characters.MessageImage) string { return own(&i.URL) }

func (c *Console) showTalk(v *visit) error {
	if v.isAdmin() {
		return v.showTranscript()
	}
	id := v.PathValue("id")
	got, err := v.api.Characters.GetConversation(v.Context(), id)
	if err != nil {
		return err
	}
	limit := int32(4 * pageSize)
	params := &characters.ListMessagesParams{Limit: &limit}
	if cursor := v.URL.Query().Get("cursor"); cursor != "" {
		params.Cursor = &cursor
	}
	var response http.Response
	messages, err := v.api.Characters.ListMessages(v.Context(), id, params, client.Into(&response))
	if err != nil {
		return err
	}
	data := talkPage{Conversation: *got, Messages: messages, Next: v.next(&response)}
	title := data.Conversation.Title
	if title == "" {
		title = "Untitled"
	}
	return v.show(http.StatusOK, "conversation", view{Title: title, Nav: "conversations", Data: data})
}
