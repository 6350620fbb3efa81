package apitest_test

import (
	"net/http"
	"strings"
	"testing"

	"parley/db"
	"parley/gen/client/characters"
	"parley/impl/testkit"
)

func TestAConversationIsExportedInThreeForms(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	agentID := x.id(t, "agent_id")
	c := x.Conversation(t, func(c *db.Conversation) { c.Title, c.AgentID = "A <talk>", &agentID },
		db.Message{Role: "user", Content: "<script>alert(1)</script>"}, db.Message{Role: "assistant", Content: "No."})
	made := x.paint(t, map[string]any{"prompt": "A forest", "sd_model_id": x.id(t, "sd_model_id"), "conversation_id": c.ID})
	path := "/api/v1/conversations/" + c.ID + "/export"
	var whole characters.Transcript
	got := x.get(t, path, &whole)
	if len(whole.Messages) != 3 || whole.Truncated || whole.Conversation.ID != c.ID || whole.Messages[2].Image == nil || whole.Messages[2].Image.URL != made.URL {
		t.Errorf("exported %s", got.Body)
	}
	wantHeader(t, got, "Content-Disposition", `attachment; filename="`+c.ID+`.json"`)
	for format, wants := range map[string][]string{
		"markdown": {"# A \\<talk\\>", "## user", "```text\n<script>alert(1)</script>\n```", "## Ada", "![picture](<" + made.URL + ">)"},
		"html":     {"<h1>A &lt;talk&gt;</h1>", "&lt;script&gt;", "<h2>Ada,", `<img src="` + made.URL + `"`},
	} {
		got := x.do(t, testkit.Request{Path: path + "?format=" + format}).Want(t, http.StatusOK)
		for _, want := range wants {
			if !strings.Contains(string(got.Body), want) {
				t.Errorf("%s has no %q:\n%s", format, want, got.Body)
			}
		}
		if format == "html" && (strings.Contains(string(got.Body), "<script") || !strings.Contains(got.Header.Get("Content-Security-Policy"), "sandbox")) {
			t.Errorf("the page can act: %v\n%s", got.Header, got.Body)
		}
	}
	x.do(t, testkit.Request{Path: path + "?format=pdf"}).Want(t, http.StatusBadRequest)
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/api/v1/agents/" + agentID}).Want(t, http.StatusNoContent)
	x.do(t, testkit.Request{Path: path + "?format=markdown"}).Want(t, http.StatusOK)
}
