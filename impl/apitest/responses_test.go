package apitest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	sdk "github.com/openai/openai-go/v3"
	sdkresponses "github.com/openai/openai-go/v3/responses"

	"parley/impl/core/model"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

const responsesPath = "/v1/responses"

// respond posts a response to the model with more members.
func (x tenant) respond(t *testing.T, model string, members object) testkit.Response {
	t.Helper()
	body := object{"model": model, "input": "Hi"}
	for name, value := range members {
		body[name] = value
	}
	return x.do(t, testkit.Request{Path: responsesPath, Body: body})
}

// ask is a request of OpenAI's client.
func ask(text string) sdkresponses.ResponseNewParams {
	return sdkresponses.ResponseNewParams{Model: testkit.UpstreamModel, Input: sdkresponses.ResponseNewParamsInputUnion{OfString: sdk.String(text)}}
}

func TestResponsesOfTheSDKAreKeptAndFollowed(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t) // reports 7 and 2 tokens
	x.Price(t, testkit.UpstreamModel, 3_333, 10_001)
	client := x.sdk(t)
	request := ask("One?")
	request.Instructions, request.Metadata = sdk.String("Be brief."), map[string]string{"a": "b"}
	first, err := client.Responses.New(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if first.OutputText() != "Hello there" || first.Status != "completed" || first.Model != testkit.UpstreamModel || first.Usage.TotalTokens != 9 || first.Metadata["a"] != "b" {
		t.Errorf("response %s", first.RawJSON())
	}
	if got, err := client.Responses.Get(t.Context(), first.ID, sdkresponses.ResponseGetParams{}); err != nil || got.RawJSON() != first.RawJSON() {
		t.Errorf("read again %s, %v; first %s", got.RawJSON(), err, first.RawJSON())
	}
	second := ask("Two?")
	second.PreviousResponseID = sdk.String(first.ID)
	if _, err := client.Responses.New(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	want := []string{"user: One?", "assistant: Hello there", "user: Two?"}
	if got := prompt(u.Received()[1]); !slices.Equal(got, want) {
		t.Errorf("prompt %q, want %q", got, want)
	}
	if got := prompt(u.Received()[0]); got[0] != "system: Be brief." {
		t.Errorf("prompt %q", got)
	}
	items := client.Responses.InputItems.ListAutoPaging(t.Context(), first.ID, sdkresponses.InputItemListParams{})
	for items.Next() {
		if got := items.Current(); got.Role != "user" || got.ID == "" || !strings.Contains(got.RawJSON(), "One?") {
			t.Errorf("item %s", got.RawJSON())
		}
	}
	if err := items.Err(); err != nil {
		t.Error(err)
	}
	if err := client.Responses.Delete(t.Context(), first.ID); err != nil {
		t.Error(err)
	}
	if found := tablesWith(t, x.server, "One?"); len(found) > 0 {
		t.Errorf("a deleted response's text is in %v", found)
	}
	got := x.respond(t, testkit.UpstreamModel, object{"previous_response_id": first.ID}).Want(t, http.StatusNotFound)
	if e := openaiError(t, got); e.Param != "previous_response_id" || e.Code != "previous_response_not_found" {
		t.Errorf("answer %s", got.Body)
	}
	x.do(t, testkit.Request{Path: responsesPath + "/" + first.ID}).Want(t, http.StatusNotFound)
	x.wantConserved(t)
}

// events returns the names of a response's stream, and checks its numbers.
func responseEvents(t *testing.T, got testkit.Response, first int64) []string {
	t.Helper()
	var names []string
	for _, e := range got.Want(t, http.StatusOK).Events(t) {
		var data struct {
			Type   string
			Number int64 `json:"sequence_number"`
		}
		if err := json.Unmarshal(e.Data, &data); err != nil || data.Type != e.Name || data.Number != first {
			t.Errorf("event %s: %s, want number %d", e.Name, e.Data, first)
		}
		first++
		names = append(names, strings.TrimPrefix(e.Name, "response."))
	}
	return names
}

func TestResponseStreamOnTheWire(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.Reasoning("reasoning_content", "hmm", "One", " two"))
	first := x.respond(t, testkit.UpstreamModel, object{"stream": true})
	want := []string{
		"created", "in_progress", "output_item.added", "content_part.added", "reasoning_text.delta", "reasoning_text.done", "content_part.done",
		"output_item.done", "output_item.added", "content_part.added", "output_text.delta", "output_text.delta", "output_text.done",
		"content_part.done", "output_item.done", "completed",
	}
	if got := responseEvents(t, first, 0); !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	path := responsesPath + "/" + strings.Replace(first.Header.Get("Parley-Turn"), "turn_", "resp_", 1)
	if whole := x.do(t, testkit.Request{Path: path + "?stream=true"}); string(whole.Body) != string(first.Body) {
		t.Errorf("replay %s, first %s", whole.Body, first.Body)
	}
	for after := range len(want) - 1 {
		got := x.do(t, testkit.Request{Path: fmt.Sprintf("%s?stream=true&starting_after=%d", path, after)})
		if names := responseEvents(t, got, int64(after)+1); !slices.Equal(names, want[after+1:]) || !strings.HasSuffix(string(first.Body), string(got.Body)) {
			t.Errorf("after %d: %q", after, names)
		}
	}
	beyond := x.do(t, testkit.Request{Path: path + "?stream=true&starting_after=1000"})
	if names := responseEvents(t, beyond, int64(len(want)-1)); !slices.Equal(names, want[len(want)-1:]) {
		t.Errorf("beyond the end: %q", names)
	}
	got := x.do(t, testkit.Request{Path: path}).Want(t, http.StatusOK)
	if i := strings.LastIndex(string(first.Body), `"response":`); !strings.Contains(string(first.Body)[i:], strings.TrimSpace(string(got.Body))) {
		t.Errorf("the response %s is not that of the last event %s", got.Body, string(first.Body)[i:])
	}
}

func TestResponsesCallTools(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t, calling)
	tool := object{"type": "function", "name": "get_weather", "parameters": object{"type": "object"}, "strict": true}
	request := object{"tools": []any{tool}, "tool_choice": object{"type": "function", "name": "get_weather"}, "top_p": 0.5, "seed": 7,
		"text": object{"format": object{"type": "json_schema", "name": "x", "schema": object{"type": "object"}}}, "reasoning": object{"effort": "low"}}
	var first sdkresponses.Response
	x.respond(t, testkit.UpstreamModel, request).Want(t, http.StatusOK).JSON(t, &first)
	asked := u.Received()[0].Body
	wanted := object{
		"tools":       []any{object{"type": "function", "function": object{"name": "get_weather", "parameters": object{"type": "object"}, "strict": true}}},
		"tool_choice": object{"type": "function", "function": object{"name": "get_weather"}}, "top_p": 0.5, "seed": 7.0, "reasoning_effort": "low",
		"response_format": object{"type": "json_schema", "json_schema": object{"name": "x", "schema": object{"type": "object"}}},
	}
	for name, want := range wanted {
		if fmt.Sprint(asked[name]) != fmt.Sprint(want) {
			t.Errorf("asked with %s %v, want %v", name, asked[name], want)
		}
	}
	var results []any
	for _, item := range first.Output {
		if item.Type == "function_call" {
			results = append(results, object{"type": "function_call_output", "call_id": item.CallID, "output": "clear sky"})
		}
	}
	if len(results) != 2 || first.Status != "completed" {
		t.Fatalf("response %s", first.RawJSON())
	}
	x.respond(t, testkit.UpstreamModel, object{"previous_response_id": first.ID, "input": results}).Want(t, http.StatusOK)
	var roles []string
	for _, m := range u.Received()[1].Body["messages"].([]any) {
		roles = append(roles, m.(object)["role"].(string))
	}
	if !slices.Equal(roles, []string{"user", "assistant", "tool", "tool"}) {
		t.Errorf("messages %q", roles)
	}
	request["stream"] = true
	names := responseEvents(t, x.respond(t, testkit.UpstreamModel, request), 0)
	for name, n := range map[string]int{"function_call_arguments.done": 2, "output_item.done": 2, "completed": 1} {
		if got := strings.Count(strings.Join(names, " "), name); got != n {
			t.Errorf("%d times %s in %q", got, name, names)
		}
	}
}

func TestResponsesInTheBackgroundAreCancelled(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t, providertest.HangAfter("Half", " an"))
	request := keyed(testkit.Request{Path: responsesPath, Body: object{"model": testkit.UpstreamModel, "input": "Hi", "background": true}}, "once")
	first := x.do(t, request).Want(t, http.StatusOK)
	var r sdkresponses.Response
	if first.JSON(t, &r); r.Status != "in_progress" || !r.Background {
		t.Fatalf("response %s", first.Body)
	}
	path := responsesPath + "/" + r.ID
	stream := x.open(t, http.MethodGet, path+"?stream=true", "")
	readTo(t, stream, `" an"`)
	got := x.respond(t, testkit.UpstreamModel, object{"previous_response_id": r.ID}).Want(t, http.StatusBadRequest)
	if e := openaiError(t, got); e.Param != "previous_response_id" {
		t.Errorf("answer %s", got.Body)
	}
	var now sdkresponses.Response
	x.do(t, testkit.Request{Path: path}).Want(t, http.StatusOK).JSON(t, &now)
	if now.Status != "in_progress" || now.OutputText() != "Half an" {
		t.Errorf("response %s", now.RawJSON())
	}
	for range 2 {
		x.do(t, testkit.Request{Method: http.MethodPost, Path: path + "/cancel"}).Want(t, http.StatusOK).JSON(t, &now)
		if now.Status != "cancelled" || now.OutputText() != "Half an" {
			t.Errorf("response %s", now.RawJSON())
		}
	}
	<-u.Gone
	readTo(t, stream, "event: response.failed")
	if again := x.do(t, request); !same(first, again) {
		t.Errorf("repeated as %s, first %s", again.Body, first.Body)
	}
	x.wantConserved(t)
}

func TestResponsesSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	item := func(i object) object { return object{"input": []any{i}} }
	for _, c := range []struct {
		members     object
		param, code string
	}{
		{object{"background": true, "store": false}, "background", "invalid_value"},
		{object{"conversation": object{"id": "conv_1"}}, "conversation", "unsupported_value"},
		{object{"tools": []any{object{"type": "web_search", "name": "x"}}}, "tools[0].type", "unsupported_value"},
		{object{"text": object{"format": object{"type": "json_schema", "schema": object{}}}}, "text.format.name", "missing_required_parameter"},
		{item(object{"content": "Hi"}), "input[0].role", "missing_required_parameter"},
		{item(object{"role": "user"}), "input[0].content", "missing_required_parameter"},
		{item(object{"role": "user", "content": []any{object{"type": "input_image"}}}), "input[0].content[0].image_url", "missing_required_parameter"},
		{item(object{"type": "function_call", "call_id": "c", "name": "f"}), "input[0].arguments", "missing_required_parameter"},
		{item(object{"type": "function_call_output", "call_id": "c"}), "input[0].output", "missing_required_parameter"},
	} {
		got := x.respond(t, model.BuiltInLLM, c.members).Want(t, http.StatusBadRequest)
		if e := openaiError(t, got); e.Param != c.param || e.Code != c.code {
			t.Errorf("%v: %s", c.members, got.Body)
		}
	}
	for _, id := range []string{"resp_nobody", strings.Replace(x.id(t, "turn_id"), "turn_", "resp_", 1)} { // missing, and no response
		got := x.do(t, testkit.Request{Path: responsesPath + "/" + id}).Want(t, http.StatusNotFound)
		if e := openaiError(t, got); e.Param != "" || e.Code != "response_not_found" {
			t.Errorf("answer %s", got.Body)
		}
	}
}

// With "store": false nothing is left to read, and nothing to follow.
func TestUnstoredResponsesAreNotKept(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	said := testkit.Canary()
	x.Upstream(t, providertest.SSE("Hello ", said))
	var r sdkresponses.Response
	x.respond(t, testkit.UpstreamModel, object{"input": said, "store": false}).Want(t, http.StatusOK).JSON(t, &r)
	if !strings.Contains(r.OutputText(), said) {
		t.Errorf("response %s", r.RawJSON())
	}
	if found := tablesWith(t, x.server, said); len(found) > 0 {
		t.Errorf("the text is in %v", found)
	}
	x.do(t, testkit.Request{Path: responsesPath + "/" + r.ID}).Want(t, http.StatusNotFound)
	x.respond(t, testkit.UpstreamModel, object{"previous_response_id": r.ID}).Want(t, http.StatusNotFound)
}

func TestCutAndFailedResponses(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	var cut sdkresponses.Response
	x.respond(t, model.BuiltInLLM, object{"max_output_tokens": 3}).Want(t, http.StatusOK).JSON(t, &cut)
	if cut.Status != "incomplete" || cut.IncompleteDetails.Reason != "max_output_tokens" || cut.Output[0].Status != "incomplete" {
		t.Errorf("response %s", cut.RawJSON())
	}
	names := responseEvents(t, x.respond(t, model.BuiltInLLM, object{"max_output_tokens": 3, "stream": true}), 0)
	if names[len(names)-1] != "incomplete" {
		t.Errorf("events %q", names)
	}
	x.Upstream(t, providertest.Cut("Half an"))
	failed := x.respond(t, testkit.UpstreamModel, object{"stream": true})
	if names := responseEvents(t, failed, 0); names[len(names)-1] != "failed" {
		t.Errorf("events %q", names)
	}
	var r sdkresponses.Response
	x.do(t, testkit.Request{Path: responsesPath + "/" + strings.Replace(failed.Header.Get("Parley-Turn"), "turn_", "resp_", 1)}).Want(t, http.StatusOK).JSON(t, &r)
	if r.Status != "failed" || r.Error.Code != "server_error" || r.OutputText() != "Half an" || r.Output[0].Status != "incomplete" {
		t.Errorf("response %s", r.RawJSON())
	}
	x.respond(t, testkit.UpstreamModel, nil).Want(t, http.StatusBadGateway)
}
