package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// The upstream's answer to question n is a pure function of n, so that the
// checker can tell what any answer and its usage must be.

// longQuestion and those above are questions whose answers take long.
const longQuestion = 9_999_999

func answerPieces(n int) []string {
	pieces := make([]string, 5+n%20)
	if n >= longQuestion {
		pieces = make([]string, 2000)
	}
	for i := range pieces {
		pieces[i] = fmt.Sprintf("w%d-%d ", n, i)
	}
	return pieces
}

func answerText(n int) string {
	text := ""
	for _, piece := range answerPieces(n) {
		text += piece
	}
	return text
}

// usageOf are the tokens that the upstream reports for question n.
func usageOf(n int) (input, output int64) { return int64(11 + n%7), int64(3 * len(answerPieces(n))) }

var questionNumber = regexp.MustCompile(`question (\d+)`)

// newUpstream is an OpenAI-compatible server that answers question n, a piece every pace.
func newUpstream(t *testing.T, pace time.Duration) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"object":"list","data":[{"id":"faulty","object":"model"}]}`)
	})
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		n, ok := questionOf(r)
		if !ok {
			http.Error(w, `{"error":{"message":"no question"}}`, http.StatusBadRequest)
			return
		}
		stream(w, r, n, pace)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL + "/v1"
}

// questionOf is the number of the question that a request asks; false when it asks none.
func questionOf(r *http.Request) (int, bool) {
	var body struct {
		Messages []struct {
			Content string `json:"content"`
		} `json:"messages"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Messages) == 0 {
		return 0, false
	}
	m := questionNumber.FindStringSubmatch(body.Messages[len(body.Messages)-1].Content)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	return n, err == nil
}

func stream(w http.ResponseWriter, r *http.Request, n int, pace time.Duration) {
	w.Header().Set("Content-Type", "text/event-stream")
	controller := http.NewResponseController(w)
	send := func(chunk any) {
		raw, _ := json.Marshal(chunk)
		fmt.Fprintf(w, "data: %s\n\n", raw)
		_ = controller.Flush()
	}
	tick := time.NewTicker(max(pace, time.Microsecond))
	defer tick.Stop()
	for _, piece := range answerPieces(n) {
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
		send(chunk(map[string]any{"content": piece}, nil))
	}
	send(chunk(map[string]any{}, "stop"))
	input, output := usageOf(n)
	send(map[string]any{"id": "c", "object": "chat.completion.chunk", "model": "faulty", "choices": []any{},
		"usage": map[string]int64{"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output}})
	fmt.Fprint(w, "data: [DONE]\n\n")
}

func chunk(delta map[string]any, finish any) map[string]any {
	return map[string]any{"id": "c", "object": "chat.completion.chunk", "model": "faulty",
		"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}}}
}
