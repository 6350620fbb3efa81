package testkit_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"parley/impl/testkit"
)

func limits() http.Header {
	return http.Header{
		"X-Request-Id": {"req_1"}, "X-Ratelimit-Limit": {"5"}, "X-Ratelimit-Remaining": {"4"}, "X-Ratelimit-Reset": {"1705314600"},
		"Parley-Turn": {"turn_01"}, "Content-Type": {"application/json"},
	}
}

const (
	answer = `{"success":true,"session_id":"sess_1","content":"x","citations":[],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2,"cost":0}}`
	piece  = "event: message\ndata: {\"content\":\"x\"}\nid: 1\n\n"
	end    = "event: end\ndata: {\"session_id\":\"sess_1\"}\n\n"
)

func TestCheckRefusesWhatBreaksTheDocument(t *testing.T) {
	t.Parallel()
	type change func(h http.Header)
	set := func(name, value string) change { return func(h http.Header) { h.Set(name, value) } }
	keep := func(http.Header) {}
	stream := set("Content-Type", "text/event-stream")
	for name, c := range map[string]struct {
		method, path string
		status       int
		edit         change
		body         string
		cut          bool
		want         string // "" for an answer that keeps to the document
	}{
		"Good":                {"POST", "/api/v1/chat", 200, keep, answer, false, ""},
		"GoodStream":          {"POST", "/api/v1/chat", 200, stream, piece + end, false, ""},
		"StreamLeftEarly":     {"POST", "/api/v1/chat", 200, stream, piece, true, ""},
		"UndocumentedStatus":  {"POST", "/api/v1/chat", 201, keep, answer, false, "status is not supported"},
		"ContentType":         {"POST", "/api/v1/chat", 200, set("Content-Type", "text/plain"), answer, false, "Content-Type"},
		"MissingHeader":       {"POST", "/api/v1/chat", 200, func(h http.Header) { h.Del("X-Request-Id") }, answer, false, "missing"},
		"HeaderType":          {"POST", "/api/v1/chat", 200, set("X-RateLimit-Limit", "many"), answer, false, "X-RateLimit-Limit"},
		"HeaderPattern":       {"POST", "/api/v1/chat", 200, set("Parley-Turn", "no turn"), answer, false, "Parley-Turn"},
		"MissingMember":       {"POST", "/api/v1/chat", 200, keep, `{"success":true}`, false, "doesn't match"},
		"UndocumentedMember":  {"POST", "/api/v1/chat", 200, keep, strings.Replace(answer, `"cost":0`, `"cost":0,"secret":1`, 1), false, "/usage/secret is not documented"},
		"BadTime":             {"GET", "/api/v1/conversations/c1", 200, keep, `{"id":"c1","title":"","system_prompt":"","llm_id":"m","agent_id":null,"last_message_at":"2023-09-01 12:00:00Z"}`, false, "date-time"},
		"EventWithoutContent": {"POST", "/api/v1/chat", 200, stream, "event: message\ndata: {}\n\n" + end, false, "event 0"},
		"UndocumentedEvent":   {"POST", "/api/v1/chat", 200, stream, "event: news\ndata: {}\n\n" + end, false, "event 0"},
		"EventNotJSON":        {"POST", "/api/v1/chat", 200, stream, "event: message\ndata: x\n\n" + end, false, "decode data"},
		"NoTerminalEvent":     {"POST", "/api/v1/chat", 200, stream, piece, false, "without a terminal event"},
		"EventAfterTheLast":   {"POST", "/api/v1/chat", 200, stream, end + piece, false, "follows the last"},
		"CutEvent":            {"POST", "/api/v1/chat", 200, stream, end + "event: mess", false, "middle of an event"},
		"UnknownPath":         {"GET", "/nowhere", 404, keep, `{"error":"x"}`, false, "not the surface's"},
		"AllowOfOtherMethod":  {"PUT", "/api/v1/chat", 405, set("Allow", "GET, POST"), `{"success":false,"error":"x"}`, false, "Allow"},
		"ShapeOfOtherMethod":  {"PUT", "/api/v1/chat", 405, set("Allow", "POST"), `{"error":"x"}`, false, "success"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := limits()
			c.edit(header)
			err := testkit.Check(httptest.NewRequest(c.method, c.path, nil), c.status, header, []byte(c.body), !c.cut)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestServerComesBackWithItsDatabase(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	s.Do(t, testkit.Request{Path: "/readyz"}).Want(t, http.StatusOK)
	s.Database.Cut()
	s.Do(t, testkit.Request{Path: "/readyz"}).Want(t, http.StatusServiceUnavailable)
	s.Database.Restore()
	s.Do(t, testkit.Request{Path: "/readyz"}).Want(t, http.StatusOK)
}
