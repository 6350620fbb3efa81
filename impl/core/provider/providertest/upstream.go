package providertest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// Received is a request that an Upstream got.
type Received struct {
	Method, Path string
	Header       http.Header
	Body         map[string]any // the JSON body, or the fields of a form; nil for requests without one
}

// Upstream is an OpenAI-compatible server under a test's control. Chat
// completions are answered by its answers in turn, the last one for ever.
type Upstream struct {
	URL  string        // base URL, /v1 included
	Gone chan struct{} // one value for each request whose client left before its answer ended

	mu       sync.Mutex
	answers  []Answer
	models   Answer
	vectors  Answer
	words    Answer
	sounds   Answer
	received []Received
	down     chan struct{}
}

// NewUpstream starts an Upstream, stopped with the test. Without answers it says
// "Hello there" with a usage of 7 and 2 tokens.
func NewUpstream(t testing.TB, answers ...Answer) *Upstream {
	t.Helper()
	if len(answers) == 0 {
		answers = []Answer{SSE("Hello", " there")}
	}
	u := &Upstream{answers: answers, models: Models("upstream-model"), vectors: Vectors(4), words: Words("What is the weather?"), sounds: Sounds, Gone: make(chan struct{}, 1024), down: make(chan struct{})}
	srv := httptest.NewServer(http.HandlerFunc(u.serve))
	u.URL = srv.URL + "/v1"
	t.Cleanup(func() {
		close(u.down)
		srv.CloseClientConnections()
		srv.Close()
	})
	return u
}

// Answers replaces what chat completions are answered with from now on.
func (u *Upstream) Answers(answers ...Answer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answers = answers
}

// AnswersModels replaces what GET /models is answered with.
func (u *Upstream) AnswersModels(a Answer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.models = a
}

// AnswersEmbeddings replaces what POST /embeddings is answered with.
func (u *Upstream) AnswersEmbeddings(a Answer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.vectors = a
}

// AnswersTranscriptions replaces what POST /audio/transcriptions is answered with.
func (u *Upstream) AnswersTranscriptions(a Answer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.words = a
}

// AnswersSpeech replaces what POST /audio/speech is answered with.
func (u *Upstream) AnswersSpeech(a Answer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sounds = a
}

// Received returns the chat completions, embeddings, speech and transcriptions asked for so far.
func (u *Upstream) Received() []Received {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.received)
}

func (u *Upstream) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	answer := u.answerTo(r, body)
	if answer == nil {
		http.NotFound(w, r)
		return
	}
	answer(&Exchange{ResponseWriter: w, Request: r, down: u.down})
	if r.Context().Err() != nil {
		u.Gone <- struct{}{}
	}
}

func (u *Upstream) answerTo(r *http.Request, body []byte) Answer {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch r.URL.Path {
	case "/v1/models":
		return u.models
	case "/v1/chat/completions", "/v1/embeddings", "/v1/audio/transcriptions", "/v1/audio/speech":
	default:
		return nil
	}
	got := Received{Method: r.Method, Path: r.URL.Path, Header: r.Header.Clone()}
	if r.URL.Path == "/v1/audio/transcriptions" {
		got.Body = formOf(r.Header.Get("Content-Type"), body)
	} else {
		_ = json.Unmarshal(body, &got.Body)
	}
	u.received = append(u.received, got)
	switch r.URL.Path {
	case "/v1/audio/transcriptions":
		return u.words
	case "/v1/audio/speech":
		answer, text := u.sounds, fmt.Sprint(got.Body["input"])
		return func(e *Exchange) { e.Text = text; answer(e) }
	}
	if r.URL.Path == "/v1/embeddings" {
		inputs, _ := got.Body["input"].([]any)
		answer := u.vectors
		return func(e *Exchange) { e.Inputs = len(inputs); answer(e) }
	}
	answer := u.answers[0]
	if streamOptions := got.Body["stream_options"]; streamOptions == nil {
		answer = withoutUsage(answer)
	}
	if len(u.answers) > 1 {
		u.answers = u.answers[1:]
	}
	return answer
}

// withoutUsage tells the answer that no usage was asked for.
func withoutUsage(a Answer) Answer {
	return func(e *Exchange) {
		e.noUsage = true
		a(e)
	}
}
