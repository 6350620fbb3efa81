package apitest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"parley/gen/client/chats"
	"parley/impl/core/provider"
	"parley/impl/testkit"
)

// toolRequest is a request that a tool's server got.
type toolRequest struct {
	Method, URL, Key, Secret string
	Body                     string
}

// toolServer is a server that tools call: it answers with what it was asked.
type toolServer struct {
	*httptest.Server
	mu   sync.Mutex
	seen []toolRequest
}

func newToolServer(t *testing.T) *toolServer {
	t.Helper()
	s := &toolServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.seen = append(s.seen, toolRequest{r.Method, r.URL.String(), r.Header.Get("Idempotency-Key"), r.Header.Get("X-Secret"), string(body)})
		s.mu.Unlock()
		switch {
		case strings.HasSuffix(r.URL.Path, "/broken"):
			http.Error(w, "out of order", http.StatusTeapot)
		case strings.HasSuffix(r.URL.Path, "/moved"):
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case strings.HasSuffix(r.URL.Path, "/large"):
			fmt.Fprint(w, strings.Repeat("large ", 100_000))
		default:
			fmt.Fprintf(w, `{"path":%q}`, r.URL.Path)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *toolServer) requests() []toolRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// httpTool makes a tool with one argument, order_id.
func (x tenant) httpTool(t *testing.T, name, method, url string, more object) chats.Tool {
	t.Helper()
	body := object{"name": name, "description": "Looks an order up.", "http": object{
		"method": method, "url": url, "parameters": object{"type": "object", "properties": object{"order_id": object{"type": "string"}, "note": object{"type": "string"}}, "required": []string{"order_id"}},
	}}
	for member, value := range more {
		body[member] = value
	}
	var made chats.Tool
	x.do(t, testkit.Request{Path: "/tools", Body: body}).Want(t, http.StatusOK).JSON(t, &made)
	return made
}

func (x tenant) try(t *testing.T, toolID string, arguments object) chats.ToolOutcome {
	t.Helper()
	var out chats.ToolOutcome
	x.do(t, testkit.Request{Path: "/tools/" + toolID + "/calls", Body: object{"arguments": arguments}}).Want(t, http.StatusOK).JSON(t, &out)
	return out
}

func TestAnHTTPToolPutsArgumentsWhereTheyBelong(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	s := newToolServer(t)
	get := x.httpTool(t, "find", "GET", s.URL+"/orders/{order_id}", object{"headers": object{"X-Secret": "hush"}})
	post := x.httpTool(t, "change", "POST", s.URL+"/orders", nil)
	if raw, _ := json.Marshal(get); strings.Contains(string(raw), "hush") || !slices.Equal(get.Headers, []string{"X-Secret"}) {
		t.Errorf("shown %s", raw)
	}
	if got := x.try(t, get.ID, object{"order_id": "a/../b", "note": "x y"}); got.Status != "done" || !strings.Contains(got.Result, "/orders/") {
		t.Errorf("found %+v", got)
	}
	x.try(t, post.ID, object{"order_id": "7"})
	if got := x.try(t, post.ID, object{"note": "none"}); got.Status != "failed" || !strings.Contains(got.Result, "schema") {
		t.Errorf("without what is required: %+v", got)
	}
	got := s.requests()
	if len(got) != 2 || got[0].URL != "/orders/a%2F..%2Fb?note=x+y" || got[0].Secret != "hush" || got[0].Key == "" || got[1].Body != `{"order_id":"7"}` || got[1].Secret != "" {
		t.Errorf("asked %+v", got)
	}
}

func TestToolsThatFailSayWhy(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	s := newToolServer(t)
	for path, want := range map[string]string{"/broken": "HTTP 418", "/moved": "HTTP 302", "/large": "left out"} {
		made := x.httpTool(t, "t"+path[1:], "GET", s.URL+path, nil)
		if got := x.try(t, made.ID, object{"order_id": "1"}); !strings.Contains(got.Result, want) || len(got.Result) > 40_000 {
			t.Errorf("%s: %.100s", path, got.Result)
		}
	}
	gone := x.httpTool(t, "gone", "GET", "http://169.254.169.254/latest", nil)
	if got := x.try(t, gone.ID, object{"order_id": "1"}); got.Status != "failed" || !strings.Contains(got.Result, "not allowed") {
		t.Errorf("a private address: %+v", got)
	}
}

func TestToolsAreKept(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	made := x.httpTool(t, "first", "GET", "http://127.0.0.1:9/x", nil)
	second := x.httpTool(t, "second", "GET", "http://127.0.0.1:9/x", object{"approval": "always"})
	x.do(t, testkit.Request{Path: "/tools", Body: object{"name": "first", "mcp": object{"url": "http://127.0.0.1:9/"}}}).Want(t, http.StatusUnprocessableEntity)
	x.do(t, testkit.Request{Path: "/tools", Body: object{"name": "none"}}).Want(t, http.StatusUnprocessableEntity)
	body := object{"name": "first", "http": object{"method": "GET", "url": "http://127.0.0.1:9/x", "parameters": object{}}}
	x.do(t, testkit.Request{Path: "/tools", Body: body}).Want(t, http.StatusConflict)
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: "/tools/" + second.ID, Body: object{"name": "first"}}).Want(t, http.StatusConflict)
	var changed chats.Tool
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: "/tools/" + made.ID, Body: object{"name": "third", "approval": "always", "headers": object{"X-A": "b"}}}).Want(t, http.StatusOK).JSON(t, &changed)
	if changed.Name != "third" || changed.Functions[0].Name != "third" || changed.Approval != "always" || len(changed.Headers) != 1 || changed.Description == "" {
		t.Errorf("changed to %+v", changed)
	}
	for name, wrong := range map[string]object{
		"host":     {"http": object{"method": "GET", "url": "http://{order_id}/", "parameters": object{"properties": object{"order_id": object{}}}}},
		"argument": {"http": object{"method": "GET", "url": "http://a.example/{other}", "parameters": object{}}},
		"schema":   {"http": object{"method": "GET", "url": "http://a.example/", "parameters": object{"type": 5}}},
		"kind":     {"mcp": object{"url": "http://a.example/"}},
		"header":   {"headers": object{"Host": "b"}},
	} {
		if got := x.do(t, testkit.Request{Method: http.MethodPatch, Path: "/tools/" + made.ID, Body: wrong}); got.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, got.Status)
		}
	}
	page := x.do(t, testkit.Request{Path: "/v1/tools?limit=1"}).Want(t, http.StatusOK)
	var list []chats.Tool
	page.JSON(t, &list)
	if len(list) != 1 || list[0].ID != second.ID || !strings.Contains(page.Header.Get("Link"), "</v1/tools?cursor="+second.ID) {
		t.Errorf("listed %+v", list)
	}
	x.do(t, testkit.Request{Method: http.MethodPost, Path: "/tools/" + made.ID + "/refreshes"}).Want(t, http.StatusOK).JSON(t, &changed)
	if changed.Name != "third" || len(changed.Functions) != 1 {
		t.Errorf("refreshed to %+v", changed)
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/tools/" + made.ID}).Want(t, http.StatusOK)
	x.do(t, testkit.Request{Path: "/tools/" + made.ID}).Want(t, http.StatusNotFound)
}

func TestAnOperationOfAnOpenAPIDocumentIsATool(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	s := newToolServer(t)
	document := `
openapi: 3.0.3
servers: [{url: '` + s.URL + `/api'}]
paths:
  /orders/{id}:
    parameters: [{$ref: '#/components/parameters/Id'}]
    put:
      operationId: putOrder
      summary: Changes an order.
      parameters: [{name: dry, in: query, schema: {type: boolean, nullable: true}}]
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}
components:
  parameters:
    Id: {name: id, in: path, required: true, schema: {type: string}}
  schemas:
    Order:
      type: object
      required: [count]
      properties:
        count: {type: integer, minimum: 0, exclusiveMinimum: true}
        parts: {type: array, items: {$ref: '#/components/schemas/Order'}}
`
	var made chats.Tool
	x.do(t, testkit.Request{Path: "/tools", Body: object{"name": "put_order", "openapi": object{"document": document, "operation_id": "putOrder"}}}).Want(t, http.StatusOK).JSON(t, &made)
	if made.Kind != "http" || made.Description != "Changes an order." {
		t.Errorf("made %+v", made)
	}
	if got := x.try(t, made.ID, object{"id": "7", "dry": true, "body": object{"count": 0}}); got.Status != "failed" {
		t.Errorf("beyond the schema: %+v", got)
	}
	if got := x.try(t, made.ID, object{"id": "7", "dry": true, "body": object{"count": 1, "parts": []object{{"count": 2}}}}); got.Status != "done" {
		t.Errorf("called: %+v", got)
	}
	if got := s.requests(); len(got) != 1 || got[0].Method != "PUT" || got[0].URL != "/api/orders/7?dry=true" || got[0].Body != `{"count":1,"parts":[{"count":2}]}` {
		t.Errorf("asked %+v", got)
	}
	for _, wrong := range []object{{"document": document, "operation_id": "none"}, {"document": "{", "operation_id": "putOrder"}, {"document": `{"paths":{"/":{"get":{"operationId":"o"}}}}`, "operation_id": "o"}} {
		x.do(t, testkit.Request{Path: "/tools", Body: object{"name": "wrong", "openapi": wrong}}).Want(t, http.StatusUnprocessableEntity)
	}
}

type greeting struct {
	Name string `json:"name"`
}

// mcpServer is an MCP server with a tool that greets, and one more once it grows.
func mcpServer(t *testing.T) (url string, grow func()) {
	t.Helper()
	server := mcp.NewServer(&mcp.Implementation{Name: "greeter", Version: "1"}, nil)
	greet := func(_ context.Context, _ *mcp.CallToolRequest, in greeting) (*mcp.CallToolResult, any, error) {
		if in.Name == "nobody" {
			return nil, nil, fmt.Errorf("there is nobody")
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "Hello, " + in.Name}}}, nil, nil
	}
	mcp.AddTool(server, &mcp.Tool{Name: "greet.politely", Description: "Greets"}, greet)
	s := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil))
	t.Cleanup(s.Close)
	return s.URL, func() { mcp.AddTool(server, &mcp.Tool{Name: "second"}, greet) }
}

func TestTheToolsOfAnMCPServerAreCalled(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	url, grow := mcpServer(t)
	var made chats.Tool
	x.do(t, testkit.Request{Path: "/tools", Body: object{"name": "people", "mcp": object{"url": url}}}).Want(t, http.StatusOK).JSON(t, &made)
	if made.Kind != "mcp" || len(made.Functions) != 1 || made.Functions[0].Name != "people_greet_politely" {
		t.Fatalf("made %+v", made)
	}
	if got := x.try(t, made.ID, object{"name": "Ann"}); got.Status != "done" || got.Result != "Hello, Ann" {
		t.Errorf("greeted %+v", got)
	}
	if got := x.try(t, made.ID, object{"name": "nobody"}); got.Status != "failed" || !strings.Contains(got.Result, "nobody") {
		t.Errorf("failed %+v", got)
	}
	grow()
	x.do(t, testkit.Request{Method: http.MethodPost, Path: "/tools/" + made.ID + "/refreshes"}).Want(t, http.StatusOK).JSON(t, &made)
	if len(made.Functions) != 2 {
		t.Errorf("refreshed to %+v", made.Functions)
	}
	x.do(t, testkit.Request{Path: "/tools/" + made.ID + "/calls", Body: object{"function": "none", "arguments": object{}}}).Want(t, http.StatusUnprocessableEntity)
}

// callingFlow is a flow whose one agent, of the built-in model, has to call a function.
func callingFlow(toolID, function string) string {
	return fmt.Sprintf(`{"nodes":[{"id":"a","type":"assistant","data":{"name":"Ann","model":%q,"tools":{"llm":[%q],"execution":[]},"tool_choice":%q}}],"edges":[]}`, provider.BuiltInID, toolID, function)
}

// callsOf are what became of the calls in a chat.
func (x tenant) callsOf(t *testing.T, chatID string) []string {
	t.Helper()
	var got []string
	for _, e := range x.do(t, testkit.Request{Path: "/chats/" + chatID + "/events"}).Want(t, http.StatusOK).Events(t) {
		if e.Name != "tool" {
			continue
		}
		var c chats.ChatToolCall
		if err := json.Unmarshal(e.Data, &c); err != nil {
			t.Fatal(err)
		}
		got = append(got, c.Agent+" "+c.Name+" "+string(c.State))
	}
	return got
}

func TestAnAgentCallsItsTool(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	s := newToolServer(t)
	made := x.httpTool(t, "find", "GET", s.URL+"/orders/{order_id}", nil)
	id := x.chatOf(t, callingFlow(made.ID, "find"))
	x.say(t, id, "A-17").Want(t, http.StatusOK)
	x.chatIs(t, id, "completed")
	if got := s.requests(); len(got) != 1 || got[0].URL != "/orders/A-17" || got[0].Key == "" {
		t.Errorf("asked %+v", got)
	}
	if got := x.callsOf(t, id); !slices.Equal(got, []string{"Ann find calling", "Ann find done"}) {
		t.Errorf("told %q", got)
	}
	if got := x.texts(t, id); len(got) != 2 {
		t.Errorf("said %q", got)
	}
}

// A person is shown the call and approves it, or refuses it; a word to another chat's call changes nothing.
func TestAPersonApprovesACall(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	s := newToolServer(t)
	made := x.httpTool(t, "find", "GET", s.URL+"/orders/{order_id}", object{"approval": "always"})
	for _, c := range []struct {
		body  object
		state string
		calls int
	}{
		{object{"message": "yes"}, "calling", 1}, {object{"content": "Approve"}, "calling", 2}, {object{"content": "No, ask me first"}, "refused", 2},
		{object{"message": ""}, "refused", 2}, {object{"message": "exit"}, "refused", 2},
	} {
		id := x.chatOf(t, callingFlow(made.ID, "required"))
		x.say(t, id, "A-17").Want(t, http.StatusOK)
		waits := x.chatIs(t, id, "wait_for_human_input")
		if waits.Prompt == nil || !strings.Contains(*waits.Prompt, "find") || !strings.Contains(*waits.Prompt, "A-17") {
			t.Errorf("asked %+v", waits)
		}
		x.do(t, testkit.Request{Path: "/chats/" + id + "/input", Body: c.body}).Want(t, http.StatusOK)
		x.chatIs(t, id, "completed")
		if got := x.callsOf(t, id); len(got) < 2 || got[0] != "Ann find waiting" || got[1] != "Ann find "+c.state {
			t.Errorf("%v: told %q", c.body, got)
		}
		if got := s.requests(); len(got) != c.calls {
			t.Errorf("%v: asked %+v", c.body, got)
		}
	}
	id := x.chatOf(t, callingFlow(made.ID, "required"))
	x.say(t, id, "A-18").Want(t, http.StatusOK)
	x.chatIs(t, id, "wait_for_human_input")
	socket := x.dial(t, id, "")
	socket.send(`{"type":"input","message":"yes"}`)
	if h := socket.until("tool", `"done"`); h.ID == "" {
		t.Errorf("heard %+v", h)
	}
	x.chatIs(t, id, "completed")
}

func TestFlowsNameToolsOfTheirAccount(t *testing.T) {
	t.Parallel()
	x, other := newTenant(t), newTenant(t)
	foreign := other.httpTool(t, "find", "GET", "http://127.0.0.1:9/x", nil)
	got := x.do(t, testkit.Request{Path: "/flows", Body: object{"name": "F", "flow": json.RawMessage(callingFlow(foreign.ID, "find"))}}).Want(t, http.StatusUnprocessableEntity)
	if !strings.Contains(string(got.Body), "no such tool") {
		t.Errorf("refused with %s", got.Body)
	}
	own := x.httpTool(t, "find", "GET", "http://127.0.0.1:9/x", nil)
	id := x.chatOf(t, callingFlow(own.ID, "find"))
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/tools/" + own.ID}).Want(t, http.StatusOK)
	x.say(t, id, "A-17").Want(t, http.StatusOK)
	if c := x.chatIs(t, id, "error"); c.Reason == nil || !strings.Contains(*c.Reason, "deleted") {
		t.Errorf("ended %+v", c)
	}
}
