package console

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"parley/gen/client"
	"parley/gen/client/platform"
)

// talkSurfaces are the APIs that something is said through, in the order of the menu.
var talkSurfaces = []talkSurface{
	{"", "All"}, {platform.TalkSurfaceWebchat, "Apps and the widget"}, {platform.TalkSurfaceCharacters, "Characters"}, {platform.TalkSurfaceProjects, "Projects"},
	{platform.TalkSurfaceChats, "Flows"}, {platform.TalkSurfaceEngagement, "Engagement"}, {platform.TalkSurfaceOpenai, "OpenAI"}, {platform.TalkSurfaceRealtime, "Realtime"},
}

type talkSurface struct {
	Name platform.TalkSurface
	Text string
}

// everythingPage is what the page of all conversations is given.
type everythingPage struct {
	Talks    []platform.Talk
	Next     string
	Surfaces []talkSurface
	Form     map[string]string // as the search form had it
	Chosen   bool              // something is filtered by
}

// Name is what people call an API.
func (everythingPage) Name(s platform.TalkSurface) string {
	for _, one := range talkSurfaces {
		if one.Name == s {
			return one.Text
		}
	}
	return string(s)
}

// While pages of the API are empty, a page of the console asks for so many of them, and for so long.
const (
	lookPages   = 3
	lookFurther = 40 * time.Millisecond
)

// showEverything lists what was said on every surface of the account.
func (v *visit) showEverything() error {
	data := everythingPage{Surfaces: talkSurfaces, Form: map[string]string{}}
	for _, name := range []string{"q", "surface", "agent", "project", "user", "from", "to"} {
		data.Form[name] = strings.TrimSpace(v.URL.Query().Get(name))
		data.Chosen = data.Chosen || data.Form[name] != ""
	}
	page := view{Title: "Conversations", Nav: "conversations"}
	params, err := talkParams(data.Form)
	if err != nil {
		page.Error, page.Data = "The days are dates, a project is a number.", data
		return v.show(http.StatusBadRequest, "talks", page)
	}
	if cursor := v.URL.Query().Get("cursor"); cursor != "" {
		params.Cursor = &cursor
	}
	for began, pages := time.Now(), 1; ; pages++ {
		var response http.Response
		got, err := v.api.Platform.ListAccountConversations(v.Context(), params, client.Into(&response))
		if err != nil {
			status, text, other := v.refusal(err)
			if other != nil || status == http.StatusForbidden {
				return err
			}
			page.Error, page.Data = text, data
			return v.show(status, "talks", page)
		}
		data.Talks, data.Next = got, v.next(&response)
		next := cursorOf(response.Header.Get("Link"))
		if len(data.Talks) > 0 || next == "" || pages == lookPages || time.Since(began) > lookFurther {
			break
		}
		params.Cursor = &next
	}
	page.Data = data
	return v.show(http.StatusOK, "talks", page)
}

// talkParams are what the search form asks for.
func talkParams(form map[string]string) (*platform.ListAccountConversationsParams, error) {
	limit := int32(pageSize)
	p := &platform.ListAccountConversationsParams{Limit: &limit}
	for name, to := range map[string]**string{"q": &p.Q, "agent": &p.AgentID, "user": &p.EndUser} {
		if text := form[name]; text != "" {
			*to = &text
		}
	}
	if form["project"] != "" {
		id, err := strconv.ParseInt(form["project"], 10, 64)
		if err != nil {
			return nil, err
		}
		p.ProjectID = &id
	}
	if s := platform.TalkSurface(form["surface"]); s != "" {
		p.Surface = &s
	}
	if form["from"] != "" {
		at, err := time.Parse(time.DateOnly, form["from"])
		if err != nil {
			return nil, err
		}
		p.From = &at
	}
	var err error
	p.To, err = endOf(form["to"])
	return p, err
}

// transcriptPage is the transcript of one conversation of any surface.
type transcriptPage struct {
	Talk     platform.TalkTranscript
	Pictures map[string]string // where pictures are, by id
	Next     string
}

// Name is what people call the API of the conversation.
func (p transcriptPage) Name() string { return everythingPage{}.Name(p.Talk.Surface) }

// picturesShown bounds how many pictures of a transcript are shown.
const picturesShown = 10

func (v *visit) showTranscript() error {
	limit := int32(4 * pageSize)
	params := &platform.GetAccountConversationParams{Limit: &limit}
	if cursor := v.URL.Query().Get("cursor"); cursor != "" {
		params.Cursor = &cursor
	}
	var response http.Response
	got, err := v.api.Platform.GetAccountConversation(v.Context(), v.PathValue("id"), params, client.Into(&response))
	if err != nil {
		return err
	}
	data := transcriptPage{Talk: *got, Pictures: map[string]string{}, Next: v.next(&response)}
	if err := v.findPictures(data); err != nil {
		return err
	}
	page := view{Title: "Untitled", Nav: "conversations", Data: data, Module: "talk.js"}
	if title := data.Talk.Title; title != nil {
		page.Title = *title
	}
	return v.show(http.StatusOK, "talk", page)
}

// findPictures adds where the first pictures of a transcript are; those that are gone are left out.
func (v *visit) findPictures(p transcriptPage) error {
	for _, m := range p.Talk.Messages {
		for _, id := range m.ImageIds {
			if len(p.Pictures) == picturesShown {
				return nil
			}
			got, err := v.api.Characters.GetImage(v.Context(), id)
			if refused, ok := errors.AsType[*client.Error](err); ok && refused.StatusCode == http.StatusNotFound {
				continue
			}
			if err != nil {
				return err
			}
			p.Pictures[id] = own(&got.JSON200.URL)
		}
	}
	return nil
}
