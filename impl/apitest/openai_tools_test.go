package apitest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	sdk "github.com/openai/openai-go/v3"

	"parley/impl/core/model"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// object is a JSON object of a request.
type object = map[string]any

// weather is a tool with a schema of every kind of value.
var weather = object{"type": "function", "function": object{
	"name": "get_weather", "description": "The weather of a city.",
	"parameters": object{
		"type": "object", "required": []any{"city", "unit", "days", "exact", "tags", "place"},
		"properties": object{
			"city": object{"type": "string"}, "unit": object{"enum": []any{"c", "f"}}, "days": object{"type": "integer", "minimum": 2},
			"exact": object{"type": "boolean"}, "tags": object{"type": "array", "items": object{"type": "string"}, "minItems": 1},
			"place": object{"$ref": "#/$defs/place"}, "optional": object{"type": "string"},
		},
		"$defs": object{"place": object{"type": "object", "required": []any{"id", "inner"}, "properties": object{
			"id": object{"type": "string", "format": "uuid"}, "inner": object{"$ref": "#/$defs/place"},
		}}},
	},
}}

// calling streams two calls at once as OpenAI does, one of them with a member of the vendor's own.
func calling(e *providertest.Exchange) {
	e.Start()
	e.Event(providertest.Chunk(object{"role": "assistant", "content": nil, "tool_calls": []any{
		object{"index": 0, "id": "call_a", "type": "function", "function": object{"name": "get_weather", "arguments": ""}, "extra_content": object{"signature": "s"}},
	}}, ""))
	e.Event(providertest.Chunk(object{"tool_calls": []any{object{"index": 0, "function": object{"arguments": `{"city":`}}}}, ""))
	e.Event(providertest.Chunk(object{"tool_calls": []any{
		object{"index": 0, "function": object{"arguments": `"Berlin"}`}},
		object{"index": 1, "id": "call_b", "type": "function", "function": object{"name": "get_weather", "arguments": `{"city":"Paris"}`}},
	}}, ""))
	e.Event(providertest.Chunk(object{}, "tool_calls"))
	e.Event(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"upstream-model","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}`)
	e.Event("[DONE]")
}

func TestToolCallsComeBackStreamedAndWhole(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, calling)
	members := object{"tools": []any{weather}}
	check := func(calls []sdk.ChatCompletionMessageToolCallUnion, finish, how string) {
		t.Helper()
		if len(calls) != 2 || calls[0].ID != "call_a" || calls[0].Function.Arguments != `{"city":"Berlin"}` || calls[0].Function.Name != "get_weather" ||
			calls[1].ID != "call_b" || calls[1].Function.Arguments != `{"city":"Paris"}` || calls[1].Function.Name != "get_weather" || finish != "tool_calls" {
			t.Errorf("%s: %s, calls %+v", how, finish, calls)
		}
	}
	got := x.complete(t, testkit.UpstreamModel, members).Want(t, http.StatusOK)
	var whole sdk.ChatCompletion
	got.JSON(t, &whole)
	check(whole.Choices[0].Message.ToolCalls, whole.Choices[0].FinishReason, "whole")
	if !strings.Contains(string(got.Body), `"content":null`) || !strings.Contains(string(got.Body), `"extra_content":{"signature":"s"}`) {
		t.Errorf("answer %s", got.Body)
	}
	members["stream"] = true
	streamed := x.complete(t, testkit.UpstreamModel, members).Want(t, http.StatusOK)
	all := sdk.ChatCompletionAccumulator{}
	for _, e := range streamed.Events(t) {
		var c sdk.ChatCompletionChunk
		if string(e.Data) != "[DONE]" && (json.Unmarshal(e.Data, &c) != nil || !all.AddChunk(c)) {
			t.Fatalf("event %s", e.Data)
		}
	}
	check(all.Choices[0].Message.ToolCalls, all.Choices[0].FinishReason, "streamed")
	turnID := streamed.Header.Get("Parley-Turn")
	replay := x.do(t, testkit.Request{Path: "/api/v1/turns/" + turnID + "/events"}).Want(t, http.StatusOK)
	if string(replay.Body) != string(streamed.Body) {
		t.Errorf("replayed as\n%s, not\n%s", replay.Body, streamed.Body)
	}
	if e := x.lastEntry(t); e.Input != 7 || e.Output != 2 || e.Estimated {
		t.Errorf("booked %+v", e)
	}
}

// Some upstreams number every call 0, name the tool in each piece, or give no index or id.
func TestSloppyToolCallsArePutInOrder(t *testing.T) {
	t.Parallel()
	piece := func(members object, name, arguments string) object {
		members["function"] = object{"name": name, "arguments": arguments}
		return members
	}
	for name, pieces := range map[string][]any{
		"all are 0":  {piece(object{"index": 0, "id": "a"}, "f", `{}`), piece(object{"index": 0, "id": "b"}, "g", `{}`)},
		"no index":   {piece(object{"id": "a"}, "f", `{}`), piece(object{"id": "b"}, "g", `{}`)},
		"repetitive": {piece(object{"index": 0, "id": "a"}, "f", `{`), piece(object{"index": 0, "id": "a"}, "f", `}`), piece(object{"index": 1, "id": "b"}, "g", `{}`)},
		"gaps":       {piece(object{"index": 7, "id": "a"}, "f", `{}`), piece(object{"index": 9}, "g", `{}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTenant(t)
			x.Upstream(t, func(e *providertest.Exchange) {
				e.Start()
				for _, p := range pieces {
					e.Event(providertest.Chunk(object{"tool_calls": []any{p}}, ""))
				}
				e.Event(providertest.Chunk(object{}, "tool_calls"))
				e.Event("[DONE]")
			})
			var got sdk.ChatCompletion
			x.complete(t, testkit.UpstreamModel, object{"tools": []any{weather}}).Want(t, http.StatusOK).JSON(t, &got)
			calls := got.Choices[0].Message.ToolCalls
			if len(calls) != 2 || calls[0].Function.Name != "f" || calls[1].Function.Name != "g" || calls[0].ID != "a" || calls[1].ID == "" || calls[0].Function.Arguments != "{}" {
				t.Errorf("calls %+v", calls)
			}
			if e := x.lastEntry(t); !e.Estimated || e.Output == 0 {
				t.Errorf("booked %+v", e)
			}
		})
	}
}

func TestWhatIsNotReadIsPassedOn(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t)
	call := object{"id": "call_1", "type": "function", "function": object{"name": "get_weather", "arguments": "{}"}}
	messages := []any{
		object{"role": "developer", "content": "Be brief.", "name": "boss"},
		object{"role": "user", "content": []any{
			object{"type": "text", "text": "What is this?", "cache_control": object{"type": "ephemeral"}},
			object{"type": "image_url", "image_url": object{"url": "data:image/png;base64,AAAA", "detail": "low"}},
		}},
		object{"role": "assistant", "content": nil, "tool_calls": []any{call}, "reasoning_details": []any{object{"a": 1}}},
		object{"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
	}
	members := object{
		"messages": messages, "tools": []any{weather}, "tool_choice": "auto", "parallel_tool_calls": false, "response_format": object{"type": "json_object"},
		"seed": 9007199254740991, "top_p": 0.5, "top_k": 40, "logit_bias": object{"50256": -100}, "metadata": object{"a": "b"}, "presence_penalty": 0.25,
		"frequency_penalty": -0.25, "reasoning_effort": "low", "vendor": object{"deep": []any{1, "two", nil}}, "odd.name": true, "nothing": nil,
	}
	x.complete(t, testkit.UpstreamModel, members).Want(t, http.StatusOK)
	asked := u.Received()[0].Body
	messages[0].(object)["role"] = "system"
	delete(members, "nothing")
	for name, want := range members {
		got, _ := json.Marshal(asked[name])
		wanted, _ := json.Marshal(want)
		if string(got) != string(wanted) && name != "seed" {
			t.Errorf("the upstream got %s %s, want %s", name, got, wanted)
		}
	}
	if got := fmt.Sprintf("%.0f", asked["seed"]); got != "9007199254740991" || asked["nothing"] != nil {
		t.Errorf("seed %s, nothing %v", got, asked["nothing"])
	}
}

func TestLogprobsComeThrough(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	chunk := func(text, probs string) string {
		return `{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"` + text + `"},"logprobs":` + probs + `,"finish_reason":null}]}`
	}
	x.Upstream(t, func(e *providertest.Exchange) {
		e.Start()
		e.Event(chunk("One", `{"content":[{"token":"One","logprob":-0.5}],"refusal":null}`))
		e.Event(chunk(" two", `{"content":[{"token":" two","logprob":-0.25}],"refusal":null}`))
		e.Event(providertest.Chunk(object{}, "stop"))
		e.Event("[DONE]")
	})
	want := `"logprobs":{"content":[{"logprob":-0.5,"token":"One"},{"logprob":-0.25,"token":" two"}]`
	if got := x.complete(t, testkit.UpstreamModel, object{"logprobs": true, "top_logprobs": 1}); !strings.Contains(string(got.Body), want) {
		t.Errorf("answer %s", got.Body)
	}
	got := x.complete(t, testkit.UpstreamModel, object{"logprobs": true, "stream": true})
	if n := strings.Count(string(got.Body), `"logprobs":{"content":[{`); n != 2 {
		t.Errorf("stream %s", got.Body)
	}
	if got := x.complete(t, testkit.UpstreamModel, nil); !strings.Contains(string(got.Body), `"logprobs":null`) {
		t.Errorf("answer %s", got.Body)
	}
}

// The upstream's refusal of a member that went to it as it was is the caller's mistake.
func TestUpstreamsRefusalOfAMemberIsTold(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, func(e *providertest.Exchange) {
		e.Header().Set("Content-Type", "application/json")
		e.WriteHeader(http.StatusBadRequest)
		_, _ = e.Write([]byte(`{"error":{"message":"secret text","type":"invalid_request_error","param":"tools[0].function.parameters","code":"invalid_function_parameters"}}`))
	})
	got := x.complete(t, testkit.UpstreamModel, object{"tools": []any{weather}}).Want(t, http.StatusBadRequest)
	if e := openaiError(t, got); e.Param != "tools" || e.Code != "invalid_value" || strings.Contains(e.Message, "secret") {
		t.Errorf("answer %s", got.Body)
	}
	x.complete(t, testkit.UpstreamModel, nil).Want(t, http.StatusBadGateway)
}

func TestBuiltInModelCallsToolsWhenItMust(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	named := object{"type": "function", "function": object{"name": "get_weather"}}
	var arguments []string
	for _, choice := range []any{"required", named} {
		var got sdk.ChatCompletion
		x.complete(t, model.BuiltInLLM, object{"tools": []any{weather}, "tool_choice": choice}).Want(t, http.StatusOK).JSON(t, &got)
		c := got.Choices[0]
		if len(c.Message.ToolCalls) != 1 || c.FinishReason != "tool_calls" || c.Message.ToolCalls[0].Function.Name != "get_weather" || c.Message.Content != "" {
			t.Fatalf("answer %s", got.RawJSON())
		}
		arguments = append(arguments, c.Message.ToolCalls[0].ID+c.Message.ToolCalls[0].Function.Arguments)
	}
	want := `{"city":"Hi","days":2,"exact":false,"place":{"id":"00000000-0000-4000-8000-000000000000","inner":{"id":`
	if arguments[0] != arguments[1] || !strings.Contains(arguments[0], want) || !strings.Contains(arguments[0], `"tags":["Hi"],"unit":"c"}`) {
		t.Errorf("arguments %q", arguments)
	}
	for _, choice := range []any{nil, "auto", "none"} {
		got := x.complete(t, model.BuiltInLLM, object{"tools": []any{weather}, "tool_choice": choice}).Want(t, http.StatusOK)
		if strings.Contains(string(got.Body), "tool_calls") {
			t.Errorf("chose to call: %s", got.Body)
		}
	}
	after := x.complete(t, model.BuiltInLLM, object{"messages": []any{
		object{"role": "user", "content": "Weather?"},
		object{"role": "assistant", "content": nil, "tool_calls": []any{object{"id": "c", "type": "function", "function": object{"name": "get_weather", "arguments": "{}"}}}},
		object{"role": "tool", "tool_call_id": "c", "content": "21 degrees"},
	}}).Want(t, http.StatusOK)
	if !strings.Contains(string(after.Body), "21 degrees") {
		t.Errorf("answer %s", after.Body)
	}
	schema := object{"type": "object", "required": []any{"n"}, "properties": object{"n": object{"type": "number"}}}
	for _, format := range []object{{"type": "json_object"}, {"type": "json_schema", "json_schema": object{"name": "x", "schema": schema}}} {
		var got sdk.ChatCompletion
		x.complete(t, model.BuiltInLLM, object{"response_format": format}).Want(t, http.StatusOK).JSON(t, &got)
		var value object
		if err := json.Unmarshal([]byte(got.Choices[0].Message.Content), &value); err != nil || len(value) != 1 {
			t.Errorf("%v gave %s", format, got.Choices[0].Message.Content)
		}
	}
}

// A result of a tool is never sent without the call that it answers.
func TestResultsAreNotCutFromTheirCalls(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t)
	x.setModels(t, `context_tokens = 1000, max_output_tokens = 500`)
	messages := []any{object{"role": "user", "content": "Hi"}}
	for i := range 20 {
		id := fmt.Sprint("c", i)
		messages = append(messages,
			object{"role": "assistant", "content": nil, "tool_calls": []any{object{"id": id, "type": "function", "function": object{"name": "f", "arguments": strings.Repeat("word ", 30)}}}},
			object{"role": "tool", "tool_call_id": id, "content": strings.Repeat("word ", 30)})
	}
	x.complete(t, testkit.UpstreamModel, object{"messages": messages}).Want(t, http.StatusOK)
	sent := u.Received()[0].Body["messages"].([]any)
	roles := make([]string, len(sent))
	for i, m := range sent {
		roles[i] = m.(object)["role"].(string)
	}
	if len(roles) < 5 || len(roles) > 20 || roles[0] != "user" || roles[1] != "assistant" || slices.Contains(roles[2:], "user") {
		t.Errorf("sent %q", roles)
	}
}
