package apitest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/openai/openai-go/v3"

	"parley/impl/core/model"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// openaiError is the error of an answer.
func openaiError(t *testing.T, got testkit.Response) (e struct{ Message, Type, Param, Code string }) {
	t.Helper()
	var body struct{ Error json.RawMessage }
	got.JSON(t, &body)
	testkit.Response{Body: body.Error}.JSON(t, &e)
	return e
}

// Offline any name is the built-in model, and the answer says so; with an
// upstream a wrong name is an error. A lookup is never answered by another model.
func TestUnknownModels(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	client := x.sdk(t)
	answer, err := client.Chat.Completions.New(t.Context(), hello("gpt-4o"))
	if err != nil || answer.Model != model.BuiltInLLM {
		t.Errorf("answered by %+v, %v", answer, err)
	}
	wantCode := func(err error, status int, code string) {
		t.Helper()
		var refused *sdk.Error
		if !errors.As(err, &refused) || refused.StatusCode != status || refused.Code != code || refused.Param != "model" {
			t.Errorf("%v, want %d %s", err, status, code)
		}
	}
	_, err = client.Models.Get(t.Context(), "gpt-4o")
	wantCode(err, http.StatusNotFound, "model_not_found")
	x.Upstream(t)
	for _, name := range []string{"gpt-4o", newTenant(t).id(t, "agent_id"), newTenant(t).id(t, "llm_id"), model.BuiltInSD} {
		_, err = client.Chat.Completions.New(t.Context(), hello(name))
		wantCode(err, http.StatusNotFound, "model_not_found")
	}
	operators := tenantOf(t, testkit.New(t, testkit.WithUpstream(providertest.NewUpstream(t).URL, "")), testkit.Unlimited, plenty)
	client = operators.sdk(t)
	_, err = client.Chat.Completions.New(t.Context(), hello("gpt-4o"))
	wantCode(err, http.StatusNotFound, "model_not_found")
}

func TestWhatIsNotSupportedIsRefused(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	part := func(p map[string]any) []any {
		return []any{map[string]any{"role": "user", "content": []any{map[string]any{"type": "text", "text": "What is this?"}, p}}}
	}
	tool := map[string]any{"type": "function", "function": map[string]any{"name": "f"}}
	for _, c := range []struct {
		name        string
		value       any
		param, code string
	}{
		{"n", 2, "n", "unsupported_value"},
		{"n", 0, "n", "invalid_value"},
		{"functions", []any{tool}, "functions", "unsupported_value"},
		{"modalities", []any{"audio"}, "modalities", "unsupported_value"},
		{"modalities", []any{"text", "audio"}, "modalities", "unsupported_value"},
		{"audio", map[string]any{"voice": "alloy"}, "audio", "unsupported_value"},
		{"tools", []any{map[string]any{"type": "custom", "custom": map[string]any{"name": "f"}}}, "tools[0].type", "unsupported_value"},
		{"tools", []any{map[string]any{"type": "function"}}, "tools[0].function", "missing_required_parameter"},
		{"tool_choice", "always", "tool_choice", "invalid_value"},
		{"top_logprobs", 21, "top_logprobs", "invalid_value"},
		{"vendor_member", strings.Repeat("x", 1<<20), "tools", "invalid_value"},
		{"messages", part(map[string]any{"type": "input_audio", "input_audio": map[string]any{}}), "messages[0].content[1].type", "unsupported_value"},
		{"messages", part(map[string]any{"type": "image_url", "image_url": map[string]any{"url": "http://a.example/b.png"}}), "messages[0].content[1].image_url.url", "invalid_value"},
		{"messages", part(map[string]any{"type": "image_url"}), "messages[0].content[1].image_url", "missing_required_parameter"},
		{"messages", []any{map[string]any{"role": "tool", "content": "x"}}, "messages[0].tool_call_id", "missing_required_parameter"},
		{"messages", []any{map[string]any{"role": "assistant", "tool_calls": []any{}}}, "messages[0].content", "missing_required_parameter"},
		{"messages", []any{map[string]any{"role": "assistant", "content": "", "tool_calls": []any{tool}}}, "messages[0].tool_calls[0].function.arguments", "missing_required_parameter"},
		{"messages", part(map[string]any{"type": "text"}), "messages[0].content[1].text", "missing_required_parameter"},
		{"messages", []any{map[string]any{"role": "user"}}, "messages[0].content", "missing_required_parameter"},
		{"temperature", 3, "temperature", "invalid_value"},
		{"temperature", "hot", "temperature", "invalid_type"},
		{"stop", []any{"a", "b", "c", "d", "e"}, "stop", "invalid_value"},
	} {
		x.wantNothingStored(t, func() {
			got := x.complete(t, model.BuiltInLLM, map[string]any{c.name: c.value}).Want(t, http.StatusBadRequest)
			if e := openaiError(t, got); e.Type != "invalid_request_error" || e.Param != c.param || e.Code != c.code || !strings.Contains(e.Message, c.param) {
				t.Errorf("%s %v: %s", c.name, c.value, got.Body)
			}
		})
	}
	for name, value := range map[string]any{
		"n": 1, "tools": []any{}, "tool_choice": "none", "logprobs": false, "modalities": []any{"text"}, "response_format": map[string]any{"type": "text"},
		"seed": 5, "top_p": 0.5, "parallel_tool_calls": true, "top_logprobs": 0, "store": false, "metadata": map[string]any{"a": "b"},
	} {
		x.complete(t, model.BuiltInLLM, map[string]any{name: value}).Want(t, http.StatusOK)
	}
}

func TestNoFundsAreInsufficientQuota(t *testing.T) {
	t.Parallel()
	x := tenantOf(t, testkit.Shared(t), testkit.Unlimited, 0)
	priced := x.Model(t, testkit.Priced(1, 1))
	for _, stream := range []bool{false, true} {
		x.wantNothingStored(t, func() {
			got := x.complete(t, priced.ID, map[string]any{"stream": stream}).Want(t, http.StatusTooManyRequests)
			wantHeader(t, got, "Retry-After", "") // waiting does not help
			if e := openaiError(t, got); e.Code != "insufficient_quota" || e.Type != "insufficient_quota" {
				t.Errorf("answer %s", got.Body)
			}
		})
	}
	x.key = x.Key(t, testkit.Plan("free"))
	for range 5 {
		x.complete(t, priced.ID, nil)
	}
	got := x.complete(t, priced.ID, nil).Want(t, http.StatusTooManyRequests)
	if e := openaiError(t, got); e.Code != "rate_limit_exceeded" || got.Header.Get("Retry-After") == "" {
		t.Errorf("answer %s", got.Body)
	}
	x.wantConserved(t)
}

func TestOpenaiKeysAreRefusedAsTheVendorDoes(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.key.Text = "sk-nothing-of-ours"
	client := x.sdk(t)
	_, err := client.Chat.Completions.New(t.Context(), hello("gpt-4o"))
	var refused *sdk.Error
	if !errors.As(err, &refused) || refused.StatusCode != http.StatusUnauthorized || refused.Code != "invalid_api_key" {
		t.Errorf("%v", err)
	}
}

func TestOpenaiSDKIsToldOfFailures(t *testing.T) {
	t.Parallel()
	for name, f := range failures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTenant(t)
			x.Upstream(t, f.answer)
			client := x.sdk(t)
			_, err := client.Chat.Completions.New(t.Context(), hello(testkit.UpstreamModel))
			var refused *sdk.Error
			if !errors.As(err, &refused) || refused.StatusCode != f.status || refused.Message == "" {
				t.Errorf("%v, want %d", err, f.status)
			}
			stream := client.Chat.Completions.NewStreaming(t.Context(), hello(testkit.UpstreamModel))
			for stream.Next() {
			}
			if stream.Err() == nil {
				t.Error("the stream ended without an error")
			}
			raw := x.complete(t, testkit.UpstreamModel, map[string]any{"stream": true}).Events(t)
			if n := len(raw); n < 2 || !strings.HasPrefix(string(raw[n-2].Data), `{"error":{"message":`) {
				t.Errorf("stream of %d events", n)
			}
		})
	}
}
