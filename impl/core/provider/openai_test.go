package provider_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/impl/core/fault"
	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
	"parley/impl/core/tokens"
)

const secretKey = "sk-canary-key"

// open returns a provider with short deadlines in front of an upstream that answers so.
func open(t *testing.T, answers ...providertest.Answer) (*provider.OpenAI, *providertest.Upstream) {
	t.Helper()
	u := providertest.NewUpstream(t, answers...)
	return provider.NewOpenAI(provider.OpenAIOptions{
		BaseURL: u.URL, Key: secretKey,
		FirstByteTimeout: 600 * time.Millisecond, IdleTimeout: 400 * time.Millisecond, TotalTimeout: 10 * time.Second,
		RetryDelayMax: 20 * time.Millisecond,
	}), u
}

func ask() provider.Request {
	return provider.Request{Model: "m", Messages: []provider.Message{{Role: provider.RoleUser, Content: "Say hello."}}}
}

// heard is everything that came out of a call.
type heard struct {
	text, thought string
	provider.Result
	err  error
	took time.Duration
}

func chat(t *testing.T, p provider.Provider, req provider.Request) heard {
	t.Helper()
	var h heard
	start := time.Now()
	h.Result, h.err = p.Chat(t.Context(), req, func(d provider.Delta) error {
		h.text += d.Text
		h.thought += d.Thought
		return nil
	})
	h.took = time.Since(start)
	return h
}

func TestOpenAIRequest(t *testing.T) {
	t.Parallel()
	p, u := open(t)
	temperature := 0.5
	req := ask()
	req.MaxOutputTokens, req.Temperature, req.EndUser = 50, &temperature, "visitor"
	req.Messages = slices.Insert(req.Messages, 0, provider.Message{Role: provider.RoleSystem, Content: "You are Ada."})
	req.Knowledge = []provider.Passage{{Title: "Cats", URL: "https://cats.test/", Text: "Cats purr."}}
	h := chat(t, p, req)
	if h.err != nil || h.text != "Hello there" || h.Usage != (provider.Usage{InputTokens: 7, OutputTokens: 2}) || h.Model != "upstream-model" || h.FinishReason != "stop" {
		t.Fatalf("%+v", h)
	}
	got := u.Received()[0]
	if got.Header.Get("Authorization") != "Bearer "+secretKey {
		t.Errorf("headers %v", got.Header)
	}
	for name, want := range map[string]any{"model": "m", "stream": true, "max_tokens": 50.0, "temperature": 0.5, "user": "visitor"} {
		if got.Body[name] != want {
			t.Errorf("%s is %v", name, got.Body[name])
		}
	}
	messages := got.Body["messages"].([]any)
	system := messages[0].(map[string]any)
	if len(messages) != 2 || system["role"] != "system" {
		t.Fatalf("messages %v", messages)
	}
	for _, part := range []string{"You are Ada.", "[1] Cats https://cats.test/\nCats purr."} {
		if !strings.Contains(system["content"].(string), part) {
			t.Errorf("no %q in %q", part, system["content"])
		}
	}
}

func TestOpenAIIgnoresTheEnvironment(t *testing.T) {
	t.Setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/")
	t.Setenv("OPENAI_API_KEY", "sk-other")
	t.Setenv("OPENAI_CUSTOM_HEADERS", "X-Other: 1")
	u := providertest.NewUpstream(t)
	p := provider.NewOpenAI(provider.OpenAIOptions{BaseURL: u.URL})
	if h := chat(t, p, ask()); h.err != nil {
		t.Fatal(h.err)
	}
	if head := u.Received()[0].Header; head.Get("Authorization") != "" || head.Get("X-Other") != "" {
		t.Fatalf("headers %v", head)
	}
}

func TestOpenAIAnswers(t *testing.T) {
	t.Parallel()
	reported := provider.Usage{InputTokens: 7, OutputTokens: 2}
	counted := provider.Usage{InputTokens: tokens.CountMessages("m", ask().Messages), OutputTokens: tokens.Count("m", "Hello there"), Estimated: true}
	chunk := providertest.Chunk(map[string]any{"content": "Hello there"}, "stop")
	usage := func(in, out string) string {
		return `{"choices":[],"usage":{"prompt_tokens":` + in + `,"completion_tokens":` + out + `}}`
	}
	for name, c := range map[string]struct {
		answer        providertest.Answer
		text, thought string
		usage         provider.Usage
	}{
		"Streamed":            {providertest.SSE("Hel", "lo ", "there"), "Hello there", "", reported},
		"PlainJSON":           {providertest.Plain("Hello there"), "Hello there", "", reported},
		"MissingUsage":        {providertest.NoUsage("Hello", " there"), "Hello there", "", counted},
		"NegativeUsage":       {providertest.Raw(chunk, usage("-5", "-7")), "Hello there", "", counted},
		"AbsurdUsage":         {providertest.Raw(chunk, usage("9e18", "9e18")), "Hello there", "", counted},
		"ZeroUsage":           {providertest.Raw(chunk, usage("0", "0")), "Hello there", "", counted},
		"NoDone":              {providertest.Raw(chunk), "Hello there", "", counted},
		"NoFinishReason":      {providertest.Raw(strings.Replace(chunk, `"stop"`, "null", 1), "[DONE]"), "Hello there", "", counted},
		"ReasoningContent":    {providertest.Reasoning("reasoning_content", "Hm.", "Hello there"), "Hello there", "Hm.", reported},
		"Reasoning":           {providertest.Reasoning("reasoning", "Hm.", "Hello there"), "Hello there", "Hm.", reported},
		"HalfUTF8":            {providertest.HalfUTF8(), "né\uFFFD", "", reported},
		"StreamOptionsNamed":  {providertest.NoStreamOptions(true, providertest.SSE("Hello", " there")), "Hello there", "", counted},
		"StreamOptionsHidden": {providertest.NoStreamOptions(false, providertest.SSE("Hello", " there")), "Hello there", "", counted},
		"OtherChoices":        {providertest.Raw(`{"choices":[{"index":1,"delta":{"content":"no"}}]}`, chunk), "Hello there", "", counted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := open(t, c.answer)
			h := chat(t, p, ask())
			if h.err != nil || h.text != c.text || h.thought != c.thought || h.FinishReason != "stop" {
				t.Fatalf("%+v", h)
			}
			if h.Usage != c.usage {
				t.Errorf("usage %+v, want %+v", h.Usage, c.usage)
			}
		})
	}
}

func TestOpenAICitations(t *testing.T) {
	t.Parallel()
	p, _ := open(t, providertest.SSE("Cats purr [", "3], dogs bark [1, 3] [9]."))
	req := ask()
	req.Knowledge = make([]provider.Passage, 3)
	if h := chat(t, p, req); !slices.Equal(h.Cited, []int{2, 0}) {
		t.Fatalf("cited %v, %v", h.Cited, h.err)
	}
}

// Each trouble has its kind, keeps what came before it, and says nothing of the
// upstream's or of the key.
func TestOpenAITroubles(t *testing.T) {
	t.Parallel()
	const leak = "canary-of-upstream sk-canary-key"
	status := func(code int, name string) providertest.Answer { return providertest.Status(code, name, leak) }
	for name, c := range map[string]struct {
		answer providertest.Answer
		kind   fault.Kind
		text   string
		calls  int
		atMost time.Duration
	}{
		"500":              {status(500, "server_error"), fault.Upstream, "", 3, 3 * time.Second},
		"429":              {status(429, "rate_limit"), fault.Unavailable, "", 3, 3 * time.Second},
		"503":              {status(503, "overloaded"), fault.Unavailable, "", 3, 3 * time.Second},
		"401":              {status(401, "invalid_api_key"), fault.Upstream, "", 1, 3 * time.Second},
		"404":              {status(404, "model_not_found"), fault.Upstream, "", 1, 3 * time.Second},
		"400":              {status(400, "bad"), fault.Upstream, "", 2, 3 * time.Second},
		"ContextLength":    {status(400, "context_length_exceeded"), fault.Invalid, "", 1, 3 * time.Second},
		"Redirect":         {providertest.Status(302, "", leak, "Location", "http://127.0.0.1:1/"), fault.Upstream, "", 1, 3 * time.Second},
		"Hang":             {providertest.Hang(), fault.Upstream, "", 1, 3 * time.Second},
		"HangWithin":       {providertest.HangAfter("start"), fault.Upstream, "start", 1, 3 * time.Second},
		"Drip":             {providertest.Drip(ticks(t)), fault.Upstream, "", 1, 3 * time.Second},
		"HTML":             {providertest.Body("text/html", leak), fault.Upstream, "", 1, 3 * time.Second},
		"BadPlainJSON":     {providertest.Body("application/json", leak), fault.Upstream, "", 1, 3 * time.Second},
		"PlainNoChoice":    {providertest.Body("application/json", "{}"), fault.Upstream, "", 1, 3 * time.Second},
		"InvalidJSON":      {providertest.Raw(providertest.Chunk(map[string]any{"content": "start"}, ""), `{"`+leak), fault.Upstream, "start", 1, 3 * time.Second},
		"NotAnObject":      {providertest.Raw(`[1]`), fault.Upstream, "", 1, 3 * time.Second},
		"ErrorEvent":       {providertest.Raw(`{"error":{"message":"` + leak + `"}}`), fault.Upstream, "", 1, 3 * time.Second},
		"Cut":              {providertest.Cut("start"), fault.Upstream, "start", 1, 3 * time.Second},
		"CutBefore":        {func(*providertest.Exchange) { panic(http.ErrAbortHandler) }, fault.Upstream, "", 3, 3 * time.Second},
		"ClosedEarly":      {providertest.CloseEarly("start"), fault.Upstream, "start", 1, 3 * time.Second},
		"EmptyStream":      {providertest.Raw(), fault.Upstream, "", 3, 3 * time.Second},
		"TenMegabyteLine":  {providertest.LongLine(10 << 20), fault.Upstream, "start", 1, 3 * time.Second},
		"TenMegabyteEvent": {providertest.LongEvent(10 << 20), fault.Upstream, "", 1, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, u := open(t, c.answer)
			h := chat(t, p, ask())
			if fault.KindOf(h.err) != c.kind || h.text != c.text || len(u.Received()) != c.calls {
				t.Fatalf("%+v after %d calls, want %v after %d", h, len(u.Received()), c.kind, c.calls)
			}
			if h.took > c.atMost {
				t.Errorf("took %v", h.took)
			}
			if strings.Contains(h.err.Error(), "canary") {
				t.Errorf("leaks: %v", h.err)
			}
			if c.text == "" && h.Usage.OutputTokens != 0 || c.text != "" && (h.Usage.OutputTokens != 1 || h.Usage.InputTokens == 0 || !h.Usage.Estimated) {
				t.Errorf("usage %+v", h.Usage)
			}
		})
	}
}

func ticks(t *testing.T) <-chan struct{} {
	pace := make(chan struct{})
	ticker := time.NewTicker(10 * time.Millisecond)
	ctx := t.Context()
	go func() {
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				select {
				case pace <- struct{}{}:
				default:
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return pace
}

func TestOpenAIUnreachable(t *testing.T) {
	t.Parallel()
	p := provider.NewOpenAI(provider.OpenAIOptions{BaseURL: "http://user:canary@127.0.0.1:1/v1", RetryDelayMax: time.Millisecond})
	h := chat(t, p, ask())
	if fault.KindOf(h.err) != fault.Upstream || h.Usage != (provider.Usage{}) || strings.Contains(h.err.Error(), "canary") {
		t.Fatalf("%+v", h)
	}
}

func TestOpenAIRetriesBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	p, u := open(t, providertest.Status(429, "", "", "Retry-After-Ms", "15"), providertest.Status(500, "", ""), providertest.SSE("Hello", " there"))
	h := chat(t, p, ask())
	if h.err != nil || h.text != "Hello there" || len(u.Received()) != 3 || h.took < 15*time.Millisecond {
		t.Fatalf("%+v after %d calls", h, len(u.Received()))
	}
}

func TestOpenAITellsWhenToRetry(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{"30": 30 * time.Second, "1e30": time.Hour, "NaN": 0, "-3": 0, "soon": 0} {
		p, u := open(t, providertest.Status(429, "", "", "Retry-After", value))
		h := chat(t, p, ask())
		f := fault.From(h.err)
		if f.Kind != fault.Unavailable || f.RetryAfter != want {
			t.Errorf("%s: %v after %v", value, f, f.RetryAfter)
		}
		if calls := len(u.Received()); want > 0 && calls != 1 {
			t.Errorf("%s: %d calls", value, calls)
		}
	}
}

func TestOpenAIRemembersRefusals(t *testing.T) {
	t.Parallel()
	refuse := func(body map[string]any, name string) bool { _, ok := body[name]; return ok }
	u := providertest.NewUpstream(t)
	u.Answers(func(e *providertest.Exchange) {
		body := u.Received()[len(u.Received())-1].Body
		switch {
		case refuse(body, "stream_options"):
			providertest.Status(400, "", "Unknown name stream_options")(e)
		case refuse(body, "max_tokens"):
			providertest.Status(400, "", "'max_tokens' is not supported. Use 'max_completion_tokens' instead.")(e)
		case refuse(body, "temperature"):
			providertest.Status(400, "unsupported_value", "'temperature' does not support 0.5 with this model.")(e)
		default:
			providertest.SSE("fine")(e)
		}
	})
	p := provider.NewOpenAI(provider.OpenAIOptions{BaseURL: u.URL})
	req := ask()
	temperature := 0.5
	req.MaxOutputTokens, req.Temperature = 9, &temperature
	for _, calls := range []int{4, 5} {
		if h := chat(t, p, req); h.err != nil || len(u.Received()) != calls {
			t.Fatalf("%+v after %d calls, want %d", h, len(u.Received()), calls)
		}
	}
	if last := u.Received()[4].Body; last["max_completion_tokens"] != 9.0 {
		t.Fatalf("sent %v", last)
	}
}

// Once stream_options are known to be taken, a refusal has another reason.
func TestOpenAIDoesNotDoubleRefusedRequests(t *testing.T) {
	t.Parallel()
	p, u := open(t, providertest.SSE("fine"), providertest.Status(400, "", "no"))
	chat(t, p, ask())
	if h := chat(t, p, ask()); h.err == nil || len(u.Received()) != 2 {
		t.Fatalf("%+v after %d calls", h, len(u.Received()))
	}
}

func TestOpenAICancellationClosesTheConnection(t *testing.T) {
	for name, a := range map[string]providertest.Answer{"Waiting": providertest.Hang(), "Streaming": providertest.HangAfter("start")} {
		t.Run(name, func(t *testing.T) {
			// The best of three: the machine may be busy with other tests.
			best := time.Hour
			for range 3 {
				best = min(best, timeToClose(t, a))
			}
			if best > 100*time.Millisecond {
				t.Errorf("closed after %v", best)
			}
		})
	}
}

// timeToClose returns how long after a cancellation the upstream sees its
// connection closed.
func timeToClose(t *testing.T, a providertest.Answer) time.Duration {
	t.Helper()
	arrived, ended := make(chan struct{}), make(chan error)
	u := providertest.NewUpstream(t, func(e *providertest.Exchange) {
		close(arrived)
		a(e)
	})
	p := provider.NewOpenAI(provider.OpenAIOptions{BaseURL: u.URL})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, err := p.Chat(ctx, ask(), func(provider.Delta) error { return nil })
		ended <- err
	}()
	<-arrived
	start := time.Now()
	cancel()
	if err := <-ended; fault.KindOf(err) != fault.Canceled {
		t.Errorf("got %v", err)
	}
	<-u.Gone
	return time.Since(start)
}

func TestOpenAIEmitErrorClosesTheConnection(t *testing.T) {
	t.Parallel()
	p, u := open(t, providertest.Endless("word "))
	full := errors.New("full")
	_, err := p.Chat(t.Context(), ask(), func(provider.Delta) error { return full })
	if !errors.Is(err, full) {
		t.Fatalf("got %v", err)
	}
	<-u.Gone
}

func TestOpenAIEndlessAnswer(t *testing.T) {
	t.Parallel()
	p, u := open(t, providertest.Endless("some more words "))
	req := ask()
	req.MaxOutputTokens = 100
	h := chat(t, p, req)
	if fault.KindOf(h.err) != fault.Upstream || len(h.text) > 100*32+4096 || h.Usage.OutputTokens < 100 {
		t.Fatalf("%d bytes, %+v, %v", len(h.text), h.Usage, h.err)
	}
	<-u.Gone
}

func TestOpenAITotalDeadline(t *testing.T) {
	t.Parallel()
	u := providertest.NewUpstream(t, func(e *providertest.Exchange) {
		e.Start()
		for !e.Gone() {
			e.Line(": keep-alive\n")
		}
	})
	p := provider.NewOpenAI(provider.OpenAIOptions{BaseURL: u.URL, TotalTimeout: 200 * time.Millisecond})
	h := chat(t, p, ask())
	if fault.KindOf(h.err) != fault.Upstream || h.took < 180*time.Millisecond || h.took > time.Second {
		t.Fatalf("%+v", h)
	}
}

// A reader that takes its time is not an upstream that is silent.
func TestOpenAISlowReaderIsNotASilentUpstream(t *testing.T) {
	t.Parallel()
	p, _ := open(t, providertest.SSE("Hello", " there"))
	_, err := p.Chat(t.Context(), ask(), func(provider.Delta) error {
		<-time.After(450 * time.Millisecond)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpenAIReusesConnections(t *testing.T) {
	t.Parallel()
	u := providertest.NewUpstream(t)
	addresses := map[string]bool{}
	u.Answers(func(e *providertest.Exchange) {
		addresses[e.Request.RemoteAddr] = true
		providertest.SSE("Hello", " there")(e)
	})
	p := provider.NewOpenAI(provider.OpenAIOptions{BaseURL: u.URL})
	for range 5 {
		if h := chat(t, p, ask()); h.err != nil {
			t.Fatal(h.err)
		}
	}
	if len(addresses) != 1 {
		t.Fatalf("5 answers took %d connections", len(addresses))
	}
}

func TestOpenAIMemoryOfATenMegabyteLine(t *testing.T) {
	p, _ := open(t, providertest.LongLine(10<<20))
	chat(t, p, ask())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	chat(t, p, ask())
	runtime.ReadMemStats(&after)
	// All that was ever allocated, by the upstream in the same process too.
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Fatalf("allocated %d kB", grown>>10)
	}
}
