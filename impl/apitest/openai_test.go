package apitest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"parley/db"
	"parley/gen/client/openai"
	"parley/impl/core/model"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// sdk is OpenAI's own client with the tenant's key. Its answers are held against the document.
func (x tenant) sdk(t *testing.T) sdk.Client {
	t.Helper()
	return sdk.NewClient(option.WithBaseURL(x.server.URL+"/v1/"), option.WithAPIKey(x.key.Text),
		option.WithHTTPClient(x.server.HTTP(t)), option.WithMaxRetries(0))
}

// hello asks a model with one user message.
func hello(model string) sdk.ChatCompletionNewParams {
	return sdk.ChatCompletionNewParams{Model: model, Messages: []sdk.ChatCompletionMessageParamUnion{sdk.UserMessage("Hi")}}
}

// complete posts a chat completion to the model with more members.
func (x tenant) complete(t *testing.T, model string, members map[string]any) testkit.Response {
	t.Helper()
	body := map[string]any{"model": model, "messages": []any{map[string]any{"role": "user", "content": "Hi"}}}
	for name, value := range members {
		body[name] = value
	}
	return x.do(t, testkit.Request{Path: "/v1/chat/completions", Body: body})
}

func TestOpenaiSDKGetsAnAnswerWithItsExactUsage(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t) // reports 7 and 2 tokens
	x.Price(t, testkit.UpstreamModel, 3_333, 10_001)
	client := x.sdk(t)
	got, err := client.Chat.Completions.New(t.Context(), hello(testkit.UpstreamModel))
	if err != nil {
		t.Fatal(err)
	}
	c := got.Choices[0]
	if len(got.Choices) != 1 || c.Message.Content != "Hello there" || c.FinishReason != "stop" || got.Model != testkit.UpstreamModel {
		t.Errorf("answer %s", got.RawJSON())
	}
	if u := got.Usage; u.PromptTokens != 7 || u.CompletionTokens != 2 || u.TotalTokens != 9 {
		t.Errorf("usage %+v", u)
	}
	if e := x.lastEntry(t); e.Amount != (7*3_333+2*10_001+999)/1000 || e.Input != 7 || e.Output != 2 || e.Estimated {
		t.Errorf("booked %+v", e)
	}
	x.wantConserved(t)
}

func TestOpenaiSDKStreams(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t)
	x.Price(t, testkit.UpstreamModel, 3_333, 10_001)
	for _, usage := range []bool{false, true} {
		client, request := x.sdk(t), hello(testkit.UpstreamModel)
		if usage {
			request.StreamOptions = sdk.ChatCompletionStreamOptionsParam{IncludeUsage: sdk.Bool(true)}
		}
		stream := client.Chat.Completions.NewStreaming(t.Context(), request)
		all := sdk.ChatCompletionAccumulator{}
		for stream.Next() {
			if !all.AddChunk(stream.Current()) {
				t.Fatalf("chunk does not fit: %s", stream.Current().RawJSON())
			}
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		c := all.Choices[0]
		if c.Message.Content != "Hello there" || c.Message.Role != "assistant" || c.FinishReason != "stop" || all.Model != testkit.UpstreamModel {
			t.Errorf("answer %+v", all.ChatCompletion)
		}
		if want := map[bool]int64{true: 9}[usage]; all.Usage.TotalTokens != want {
			t.Errorf("asked for usage: %v, got %+v", usage, all.Usage)
		}
		if e := x.lastEntry(t); e.Amount != (7*3_333+2*10_001+999)/1000 {
			t.Errorf("booked %+v", e)
		}
	}
	x.wantConserved(t)
}

// Events have no names, the role comes first and alone, and [DONE] is no JSON.
func TestOpenaiStreamOnTheWire(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.Reasoning("reasoning_content", "hmm", "One", " two"))
	got := x.complete(t, testkit.UpstreamModel, map[string]any{"stream": true, "stream_options": map[string]any{"include_usage": true}})
	var deltas []string
	for _, e := range got.Want(t, http.StatusOK).Events(t) {
		var c struct {
			Choices []struct {
				Delta  json.RawMessage
				Finish *string `json:"finish_reason"`
			}
			Usage json.RawMessage
		}
		switch {
		case string(e.Data) == "[DONE]":
			deltas = append(deltas, "done")
		case json.Unmarshal(e.Data, &c) != nil:
			t.Errorf("event %s", e.Data)
		case len(c.Choices) == 0:
			deltas = append(deltas, string(c.Usage))
		case c.Choices[0].Finish != nil:
			deltas = append(deltas, *c.Choices[0].Finish)
		default:
			deltas = append(deltas, string(c.Choices[0].Delta))
		}
	}
	want := []string{
		`{"role":"assistant","content":""}`, `{"reasoning_content":"hmm"}`, `{"content":"One"}`, `{"content":" two"}`, "stop",
		`{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}`, "done",
	}
	if !slices.Equal(deltas, want) || strings.Contains(string(got.Body), "event:") {
		t.Errorf("got %q, want %q in %s", deltas, want, got.Body)
	}
	whole := x.complete(t, testkit.UpstreamModel, nil)
	if !strings.Contains(string(whole.Body), `"reasoning_content":"hmm"`) {
		t.Errorf("answer %s", whole.Body)
	}
}

func TestGeneratedClientReadsNamelessEvents(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	var request openai.ChatCompletionRequest
	if err := json.Unmarshal([]byte(`{"model":"any","messages":[{"role":"user","content":"Hi"}]}`), &request); err != nil {
		t.Fatal(err)
	}
	var text, last string
	for event, err := range x.server.Client(t, x.key.Text).Openai.StreamCreateChatCompletion(t.Context(), request) {
		if err != nil {
			t.Fatal(err)
		}
		var c openai.ChatCompletionChunk
		if last = string(event.Data); json.Unmarshal(event.Data, &c) == nil && c.Choices[0].Delta.Content != nil {
			text += *c.Choices[0].Delta.Content
		}
	}
	if text == "" || last != "[DONE]" {
		t.Errorf("text %q, last %q", text, last)
	}
}

func TestSamplingReachesTheUpstream(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t)
	for _, c := range []struct {
		members map[string]any
		want    map[string]any // of the upstream's request; nil: absent
	}{
		{map[string]any{"temperature": 0.5, "max_tokens": 9, "stop": "END", "user": "u-1"},
			map[string]any{"temperature": 0.5, "max_tokens": 9.0, "stop": []any{"END"}, "user": "u-1"}},
		{map[string]any{"max_tokens": 9, "max_completion_tokens": 5, "stop": []any{"A", "B"}},
			map[string]any{"temperature": nil, "max_tokens": 5.0, "stop": []any{"A", "B"}, "user": nil}},
		{map[string]any{"max_tokens": 999_999, "stop": []any{}}, map[string]any{"max_tokens": 4096.0, "stop": nil}},
		{map[string]any{"temperature": nil, "max_tokens": nil, "max_completion_tokens": nil, "stop": nil, "user": nil, "n": nil,
			"stream": nil, "stream_options": nil, "tools": nil, "tool_choice": nil, "functions": nil, "logprobs": nil,
			"top_logprobs": nil, "modalities": nil, "audio": nil, "response_format": nil},
			map[string]any{"temperature": nil, "max_tokens": 4096.0, "stop": nil, "user": nil}},
	} {
		x.complete(t, testkit.UpstreamModel, c.members).Want(t, http.StatusOK)
		asked := u.Received()[len(u.Received())-1].Body
		for name, want := range c.want {
			if fmt.Sprint(asked[name]) != fmt.Sprint(want) {
				t.Errorf("%v: the upstream was asked with %s %v, want %v", c.members, name, asked[name], want)
			}
		}
	}
}

// A limit lowers what is held, too: it is all that the answer can cost.
func TestTokenLimitLowersTheHold(t *testing.T) {
	t.Parallel()
	x := tenantOf(t, testkit.Shared(t), testkit.Unlimited, 200)
	x.Upstream(t)
	x.Price(t, testkit.UpstreamModel, 0, 20_000) // 10 tokens cost 200
	x.complete(t, testkit.UpstreamModel, map[string]any{"max_tokens": 11}).Want(t, http.StatusTooManyRequests)
	x.complete(t, testkit.UpstreamModel, map[string]any{"max_tokens": 10}).Want(t, http.StatusOK)
	x.wantConserved(t)
}

func TestAnswersEndAtTheLimitAndAtStops(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	var whole, short, stopped sdk.ChatCompletion
	x.complete(t, model.BuiltInLLM, nil).JSON(t, &whole)
	x.complete(t, model.BuiltInLLM, map[string]any{"max_tokens": 3}).JSON(t, &short)
	text := whole.Choices[0].Message.Content
	words := strings.Fields(text)
	x.complete(t, model.BuiltInLLM, map[string]any{"stop": []any{"no such text", words[2]}}).JSON(t, &stopped)
	if got := short.Choices[0]; got.FinishReason != "length" || short.Usage.CompletionTokens > 3 || !strings.HasPrefix(text, got.Message.Content) {
		t.Errorf("limited to %q, %s, of %q", got.Message.Content, got.FinishReason, text)
	}
	if got := stopped.Choices[0]; got.FinishReason != "stop" || got.Message.Content != text[:strings.Index(text, words[2])] {
		t.Errorf("stopped at %q: %q, %s, of %q", words[2], got.Message.Content, got.FinishReason, text)
	}
}

func TestMessagesReachTheModel(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t)
	request := sdk.ChatCompletionNewParams{Model: testkit.UpstreamModel, Messages: []sdk.ChatCompletionMessageParamUnion{
		sdk.DeveloperMessage("Be brief."), sdk.UserMessage("One?"), sdk.AssistantMessage("Two."),
		sdk.UserMessage([]sdk.ChatCompletionContentPartUnionParam{sdk.TextContentPart("Three"), sdk.TextContentPart("Four?")}),
	}}
	client := x.sdk(t)
	if _, err := client.Chat.Completions.New(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	want := []string{"system: Be brief.", "user: One?", "assistant: Two.", "user: Three\nFour?"}
	if got := prompt(u.Received()[0]); !slices.Equal(got, want) {
		t.Errorf("prompt %q, want %q", got, want)
	}
}

func TestAgentsAreModels(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t)
	other := x.Model(t, func(m *db.Model) { m.Name = "Another" })
	ada := x.Agent(t, func(a *db.Agent) { a.Name, a.PersonalityPrompt = "Ada", "Precise" })
	bob := x.Agent(t, func(a *db.Agent) { a.Name, a.ModelID = "Bob", &other.ID })
	client := x.sdk(t)
	page, err := client.Models.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range page.Data {
		ids = append(ids, m.ID)
	}
	if ids[0] != testkit.UpstreamModel || slices.Index(ids, model.BuiltInLLM) > slices.Index(ids, bob.ID) || slices.Index(ids, bob.ID) > slices.Index(ids, ada.ID) {
		t.Errorf("models %v", ids)
	}
	if slices.Contains(ids, model.BuiltInSD) {
		t.Error("a model for pictures is offered for chats")
	}
	for _, id := range []string{ada.ID, other.ID, testkit.UpstreamModel} {
		if m, err := client.Models.Get(t.Context(), id); err != nil || m.ID != id || m.Object != "model" || m.OwnedBy == "" || m.Created == 0 {
			t.Errorf("model %s: %+v, %v", id, m, err)
		}
	}
	answer, err := client.Chat.Completions.New(t.Context(), hello(ada.ID))
	if err != nil || answer.Model != testkit.UpstreamModel {
		t.Fatalf("answered by %q, %v", answer.Model, err)
	}
	if got := prompt(u.Received()[0]); !strings.Contains(got[0], "Ada") || !strings.Contains(got[0], "Precise") {
		t.Errorf("prompt %q", got)
	}
	if answer, err = client.Chat.Completions.New(t.Context(), hello(bob.ID)); err != nil || answer.Model != other.ID {
		t.Errorf("answered by %q, %v", answer.Model, err)
	}
}

// A model's id may hold a slash; the SDK escapes it.
func TestModelIdsMayHoldSlashes(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	made := x.Model(t, func(m *db.Model) { m.ID = "vendor/large" })
	client := x.sdk(t)
	if m, err := client.Models.Get(t.Context(), made.ID); err != nil || m.ID != made.ID {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestOpenaiMessagesAreCutToTheContext(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t)
	x.setModels(t, `context_tokens = 1000, max_output_tokens = 500`)
	messages := []any{map[string]any{"role": "system", "content": "Be brief."}}
	for i := range 30 {
		messages = append(messages, map[string]any{"role": []string{"user", "assistant"}[i%2], "content": fmt.Sprint(i) + strings.Repeat(" word", 40)})
	}
	messages = append(messages, map[string]any{"role": "user", "content": "The question"})
	x.complete(t, testkit.UpstreamModel, map[string]any{"messages": messages}).Want(t, http.StatusOK)
	got := prompt(u.Received()[0])
	if kept := len(got) - 2; kept < 8 || kept > 11 || got[0] != "system: Be brief." || got[len(got)-1] != "user: The question" || !strings.HasPrefix(got[len(got)-2], "assistant: 29 ") {
		t.Errorf("prompt of %d messages: %.20q", len(got), got)
	}
	x.wantNothingStored(t, func() {
		long := []any{map[string]any{"role": "user", "content": strings.Repeat("word ", 900)}}
		got := x.complete(t, testkit.UpstreamModel, map[string]any{"messages": long}).Want(t, http.StatusBadRequest)
		if e := openaiError(t, got); e.Code != "context_length_exceeded" || e.Param != "messages" || !strings.Contains(e.Message, "1000 tokens") {
			t.Errorf("answer %s", got.Body)
		}
	})
}

func TestCancelledCompletionEndsItsStream(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t, providertest.HangAfter("Half", " an"))
	client := x.sdk(t)
	var response *http.Response
	stream := client.Chat.Completions.NewStreaming(t.Context(), hello(testkit.UpstreamModel), option.WithResponseInto(&response))
	for text := ""; !strings.Contains(text, "an") && stream.Next(); {
		text += stream.Current().Choices[0].Delta.Content
	}
	turnID := response.Header.Get("Parley-Turn")
	x.do(t, testkit.Request{Method: http.MethodPost, Path: "/api/v1/turns/" + turnID + "/cancel"}).Want(t, http.StatusOK)
	<-u.Gone
	if stream.Next() || stream.Err() == nil || !strings.Contains(stream.Err().Error(), "cancelled") {
		t.Errorf("the stream ended with %v", stream.Err())
	}
	replay := x.do(t, testkit.Request{Path: "/api/v1/turns/" + turnID + "/events"}).Want(t, http.StatusOK)
	if !strings.Contains(string(replay.Body), "data: [DONE]\nid: 3\n\n") {
		t.Errorf("replay %s", replay.Body)
	}
	x.wantConserved(t)
}
