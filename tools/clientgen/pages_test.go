package main

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"parley/gen/client"
	"parley/gen/client/characters"
	"parley/gen/client/openai"
	"parley/gen/client/projects"
	"parley/gen/client/webchat"
)

// listed answers with JSON and, unless link is empty, a Link header.
func listed(body, link string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if link != "" {
			w.Header().Set("Link", link)
		}
		_, _ = fmt.Fprint(w, body)
	}
}

// names reads a list to its end.
func names[T any](t *testing.T, items iter.Seq2[T, error], name func(T) string) []string {
	t.Helper()
	var all []string
	for item, err := range items {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, name(item))
	}
	return all
}

func TestListsGoOnWhicheverWayTheyArePaged(t *testing.T) {
	tests := []struct {
		name  string
		pages []http.HandlerFunc
		read  func(*client.Client) []string
		paths []string
	}{
		{
			"by links",
			[]http.HandlerFunc{
				listed(`[{"id":"agent_1"},{"id":"agent_2"}]`, `<https://elsewhere.example/api/v1/agents?cursor=c1&limit=2>; rel="next"`),
				listed(`[]`, `<x>; rel="prev", </api/v1/agents?cursor=c2>; rel="next"`),
				listed(`[{"id":"agent_3"}]`, ""),
			},
			func(c *client.Client) []string {
				return names(t, c.Characters.AllAgents(t.Context(), nil), func(a characters.Agent) string { return a.ID })
			},
			[]string{"/api/v1/agents", "/api/v1/agents?cursor=c1&limit=2", "/api/v1/agents?cursor=c2"},
		},
		{
			"by numbers until there is no more",
			[]http.HandlerFunc{
				listed(`{"sessions":[{"session_id":"a"}],"meta":{"has_more":true}}`, ""),
				listed(`{"sessions":[{"session_id":"b"}],"meta":{"has_more":false}}`, ""),
			},
			func(c *client.Client) []string {
				return names(t, c.Webchat.AllSessions(t.Context(), nil), func(s webchat.Session) string { return s.SessionID })
			},
			[]string{"/api/v1/sessions", "/api/v1/sessions?page=2"},
		},
		{
			"by numbers until there is no next address",
			[]http.HandlerFunc{
				listed(`{"data":{"project":{},"pages":{"data":[{"id":1}],"next_page_url":"x"}}}`, ""),
				listed(`{"data":{"project":{},"pages":{"data":[{"id":2}],"next_page_url":null}}}`, ""),
			},
			func(c *client.Client) []string {
				return names(t, c.Projects.AllProjectPages(t.Context(), 7, nil), func(p projects.ProjectPage) string { return fmt.Sprint(p.ID) })
			},
			[]string{"/api/v1/projects/7/pages", "/api/v1/projects/7/pages?page=2"},
		},
		{
			"after the last one",
			[]http.HandlerFunc{
				listed(`{"data":[{"id":"item_1","type":"message"},{"id":"item_2","type":"message"}],"has_more":true}`, ""),
				listed(`{"data":[{"id":"item_3","type":"message"}],"has_more":false}`, ""),
			},
			func(c *client.Client) []string {
				return names(t, c.Openai.AllModelResponseInputItems(t.Context(), "resp_1", nil), func(openai.ResponseListedItem) string { return "item" })
			},
			[]string{"/v1/responses/resp_1/input_items", "/v1/responses/resp_1/input_items?after=item_2"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, s := play(t, test.pages...)
			if got := test.read(c); len(got) < 2 {
				t.Errorf("got %q", got)
			}
			var paths []string
			for _, r := range s.all() {
				paths = append(paths, r.Path)
			}
			if !slices.Equal(paths, test.paths) {
				t.Errorf("asked for %q, want %q", paths, test.paths)
			}
		})
	}
}

func TestListsAskOnlyForWhatIsRead(t *testing.T) {
	c, s := play(t, listed(`[{"id":"agent_1"},{"id":"agent_2"}]`, `</x?cursor=c1>; rel="next"`))
	for _, err := range c.Characters.AllAgents(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if got := len(s.all()); got != 1 {
		t.Errorf("%d requests for one item", got)
	}
}

func TestListsEndWithTheErrorOfAPage(t *testing.T) {
	same := listed(`[{"id":"agent_1"}]`, `</x?cursor=c1>; rel="next"`)
	for name, second := range map[string]http.HandlerFunc{"refused": status(404), "no list": listed(`{}`, ""), "no progress": same} {
		c, s := play(t, same, second)
		var last error
		seen := 0
		for _, err := range c.Characters.AllAgents(t.Context(), nil) {
			seen++
			last = err
		}
		var refused *client.Error
		if last == nil || seen != 2 || len(s.all()) != 2 || errors.As(last, &refused) != (name == "refused") {
			t.Errorf("%s: %v after %d items", name, last, seen-1)
		}
	}
}

// What a program has to compile beside its own code when it uses the client.
func TestClientDependsOnNothingOfTheServer(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "../../gen/client/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{"parley/gen/client", "github.com/oapi-codegen/runtime", "github.com/google/uuid", "github.com/apapsch/go-jsonmerge", "vendor/", "golang.org/x/"}
	for _, name := range strings.Fields(string(out)) {
		first, _, _ := strings.Cut(name, "/")
		standard := !strings.Contains(first, ".") && first != "parley"
		if !standard && !slices.ContainsFunc(allowed, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			t.Errorf("the client depends on %s", name)
		}
	}
}
