package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/gen/client"
	"parley/gen/client/platform"
)

// endpoint is an address that a key opens.
type endpoint struct{ Name, Path, URL string }

// endpoints are the operations that clients send most to, the ones of the key page that the engagement API documents first.
var endpoints = []endpoint{
	{Name: "Generate Response", Path: "/api/v1/generate"},
	{Name: "Analyze Engagement", Path: "/api/v1/analyze"},
	{Name: "Agent Interaction", Path: "/api/v1/agents/{agent_id}/interact"},
	{Name: "Behavioral Monitoring", Path: "/api/v1/monitor/behavior"},
	{Name: "Chat", Path: "/api/v1/chat"},
	{Name: "Completion", Path: "/api/v1/completions"},
	{Name: "Message to a conversation", Path: "/api/v1/conversations/{conversation_id}/messages"},
	{Name: "Message to a project", Path: "/api/v1/projects/{project_id}/conversations/{session_id}/messages"},
	{Name: "Message to a flow's chat", Path: "/chats/{chat_id}/messages"},
	{Name: "Image", Path: "/api/v1/images"},
	{Name: "OpenAI chat completion", Path: "/v1/chat/completions"},
	{Name: "OpenAI response", Path: "/v1/responses"},
	{Name: "OpenAI embeddings", Path: "/v1/embeddings"},
}

// pageSize is how many rows a table shows.
const pageSize = 50

// keyPage is what the page of keys is given.
type keyPage struct {
	Keys      []platform.Key
	Next      string // where the older ones are; ""
	Made      *platform.KeyWithText
	Endpoints []endpoint
	Scopes    []platform.KeyScope
	Form      keyForm
}

// keyForm is the form of a new key as it was filled in.
type keyForm struct {
	Name, Kind, Environment, Origins, Expires string
	Scopes                                    []string
}

func (f keyForm) Has(scope platform.KeyScope) bool { return slices.Contains(f.Scopes, string(scope)) }

// surfaceScopes are what keys are usually given, one a surface, and the account's own.
var surfaceScopes = []platform.KeyScope{
	platform.KeyScopeCharacters, platform.KeyScopeChats, platform.KeyScopeEngagement, platform.KeyScopeOpenai, platform.KeyScopeProjects,
	platform.KeyScopeRealtime, platform.KeyScopeWebchat, platform.KeyScopeAdmin, platform.KeyScopeAdminRead,
}

func (c *Console) showKeys(v *visit) error { return v.showKeys(http.StatusOK, view{}, keyPage{}) }

func (v *visit) showKeys(status int, page view, data keyPage) error {
	limit := int32(pageSize)
	params := &platform.ListKeysParams{Limit: &limit}
	if cursor := v.URL.Query().Get("cursor"); cursor != "" {
		params.Cursor = &cursor
	}
	var response http.Response
	got, err := v.api.Platform.ListKeys(v.Context(), params, client.Into(&response))
	if err != nil {
		return err
	}
	data.Keys, data.Next, data.Scopes = got, v.next(&response), v.scopes()
	for _, e := range endpoints {
		e.URL = v.origin() + e.Path
		data.Endpoints = append(data.Endpoints, e)
	}
	page.Title, page.Nav, page.Data = "API keys", "keys", data
	return v.show(status, "keys", page)
}

// next is the present page's address with the cursor of an answer's Link header; "" at the end.
func (v *visit) next(from *http.Response) string {
	cursor := cursorOf(from.Header.Get("Link"))
	if cursor == "" {
		return ""
	}
	query := v.URL.Query()
	query.Del("done")
	query.Set("cursor", cursor)
	return v.URL.Path + "?" + query.Encode()
}

// createKey makes a key and shows its text on the answer itself: nowhere else is it
// ever to be had, so no redirect may lose it. The same form sent again makes no second key.
func (c *Console) createKey(v *visit) error {
	form := keyForm{
		Name: v.field("name"), Kind: v.field("kind"), Environment: v.field("environment"), Origins: v.field("origins"), Expires: v.field("expires"),
		Scopes: v.PostForm["scopes"],
	}
	create := platform.KeyCreate{Name: form.Name}
	if form.Kind != "" {
		kind := platform.KeyKind(form.Kind)
		create.Kind = &kind
	}
	if form.Environment != "" {
		environment := platform.KeyEnvironment(form.Environment)
		create.Environment = &environment
	}
	if len(form.Scopes) > 0 {
		scopes := scopesOf(form.Scopes)
		create.Scopes = &scopes
	}
	if origins := lines(form.Origins); len(origins) > 0 {
		create.Origins = &origins
	}
	var err error
	if create.ExpiresAt, err = endOf(form.Expires); err != nil {
		return v.showKeys(http.StatusBadRequest, view{Error: v.at("expires", "The end is a date.")}, keyPage{Form: form})
	}
	made, err := v.api.Platform.CreateKey(v.Context(), create, v.once())
	if err != nil {
		status, text, other := v.refusal(err)
		if other != nil {
			return other
		}
		return v.showKeys(status, view{Error: text}, keyPage{Form: form})
	}
	return v.showKeys(http.StatusCreated, view{}, keyPage{Made: made})
}

func scopesOf(names []string) platform.KeyScopes {
	out := make(platform.KeyScopes, len(names))
	for i, name := range names {
		out[i] = platform.KeyScope(name)
	}
	return out
}

// lines are what stands on the lines of a text area.
func lines(text string) []string { return strings.Fields(text) }

// endOf is the end of a day as a form has it, in UTC; nil for no day.
func endOf(day string) (*time.Time, error) {
	if day == "" {
		return nil, nil
	}
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return nil, err
	}
	at = at.Add(24*time.Hour - time.Second)
	return &at, nil
}

// onePage is the page of one key.
type onePage struct {
	Key     platform.Key
	Made    *platform.KeyWithText
	Scopes  []platform.KeyScope
	Expires string
}

// Has tells whether the key holds a scope.
func (p onePage) Has(scope platform.KeyScope) bool { return slices.Contains(p.Key.Scopes, scope) }

// More are the key's scopes that the form does not list.
func (p onePage) More() []platform.KeyScope {
	return slices.DeleteFunc(slices.Clone(p.Key.Scopes), func(s platform.KeyScope) bool { return slices.Contains(p.Scopes, s) })
}

func (c *Console) showKey(v *visit) error { return v.showKey(http.StatusOK, view{}, nil) }

func (v *visit) showKey(status int, page view, made *platform.KeyWithText) error {
	got, err := v.api.Platform.GetKey(v.Context(), v.PathValue("id"))
	if err != nil {
		return err
	}
	data := onePage{Key: *got, Made: made, Scopes: v.scopes()}
	if data.Key.ExpiresAt != nil {
		data.Expires = data.Key.ExpiresAt.UTC().Format(time.DateOnly)
	}
	page.Title, page.Nav, page.Data = data.Key.Name, "keys", data
	return v.show(status, "key", page)
}

// changeKey does what a button of a key says.
func (c *Console) changeKey(v *visit) error {
	id := v.PathValue("id")
	var err error
	switch v.field("do") {
	case "delete":
		if err = v.api.Platform.DeleteKey(v.Context(), id); err == nil {
			return v.see("/keys", "deleted")
		}
	case "activate", "deactivate":
		status, done := platform.KeyStatusActive, "activated"
		if v.field("do") == "deactivate" {
			status, done = platform.KeyStatusInactive, "deactivated"
		}
		if _, err = v.api.Platform.UpdateKey(v.Context(), id, platform.KeyUpdate{Status: &status}); err == nil {
			return v.see("/keys", done)
		}
	case "rotate":
		return v.rotateKey(id)
	default:
		if err = v.saveKey(id); err == nil {
			return v.see("/keys/"+id, "saved")
		}
	}
	status, text, other := v.refusal(err)
	if other != nil {
		return other
	}
	if status == http.StatusNotFound {
		return err
	}
	return v.showKey(status, view{Error: text}, nil)
}

func (v *visit) rotateKey(id string) error {
	grace, err := strconv.ParseInt(v.field("grace"), 10, 32)
	if err != nil {
		return v.showKey(http.StatusBadRequest, view{Error: v.at("grace", "How long the old key works is a number of seconds.")}, nil)
	}
	seconds := int32(grace)
	made, err := v.api.Platform.RotateKey(v.Context(), id, platform.KeyRotation{GraceSeconds: &seconds}, v.once())
	if err != nil {
		return err
	}
	return v.showKey(http.StatusOK, view{}, made)
}

func (v *visit) saveKey(id string) error {
	name, scopes, origins := v.field("name"), scopesOf(v.PostForm["scopes"]), lines(v.field("origins"))
	update := platform.KeyUpdate{Name: &name, Scopes: &scopes, Origins: &origins}
	end, err := endOf(v.field("expires"))
	if err != nil {
		return problem{http.StatusBadRequest, "This did not work", v.at("expires", "The end is a date.")}
	}
	if update.ExpiresAt = end; end == nil {
		never := platform.KeyUpdateNeverExpires(true)
		update.NeverExpires = &never
	}
	_, err = v.api.Platform.UpdateKey(v.Context(), id, update)
	return err
}
