package providertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Exchange is one request to an Upstream and the way to answer it.
type Exchange struct {
	http.ResponseWriter
	Request *http.Request
	Inputs  int    // of a request for embeddings
	Text    string // of a request for speech
	noUsage bool
	down    <-chan struct{}
}

// Answer answers one request to an Upstream.
type Answer func(e *Exchange)

// Unwrap lets http.ResponseController find the connection.
func (e *Exchange) Unwrap() http.ResponseWriter { return e.ResponseWriter }

// Line sends text and a line end at once.
func (e *Exchange) Line(text string) {
	_, _ = io.WriteString(e, text+"\n")
	_ = http.NewResponseController(e).Flush()
}

// Event sends one event of a stream.
func (e *Exchange) Event(data string) { e.Line("data: " + data + "\n") }

// Start sends the head of an event stream.
func (e *Exchange) Start() {
	e.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	e.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(e).Flush()
}

// Hold waits until the client leaves or the test ends.
func (e *Exchange) Hold() {
	select {
	case <-e.Request.Context().Done():
	case <-e.down:
	}
}

// Gone reports whether the client left or the test ended.
func (e *Exchange) Gone() bool {
	select {
	case <-e.Request.Context().Done():
	case <-e.down:
	default:
		return false
	}
	return true
}

// Chunk returns the JSON of one chat.completion.chunk with members of delta.
func Chunk(delta map[string]any, finishReason string) string {
	choice := map[string]any{"index": 0, "delta": delta, "finish_reason": nil}
	if finishReason != "" {
		choice["finish_reason"] = finishReason
	}
	b, err := json.Marshal(map[string]any{
		"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "upstream-model", "choices": []any{choice},
	})
	if err != nil {
		panic(err) // strings and maps of them always marshal
	}
	return string(b)
}

const usageChunk = `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"upstream-model","choices":[],` +
	`"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}`

func (e *Exchange) pieces(texts []string) {
	for _, text := range texts {
		e.Event(Chunk(map[string]any{"content": text}, ""))
	}
}

func (e *Exchange) end(usage bool) {
	e.Event(Chunk(map[string]any{}, "stop"))
	if usage && !e.noUsage {
		e.Event(usageChunk)
	}
	e.Event("[DONE]")
}

// SSE streams texts as OpenAI does, with a usage of 7 and 2 tokens when asked.
func SSE(texts ...string) Answer {
	return func(e *Exchange) {
		e.Start()
		e.Event(Chunk(map[string]any{"role": "assistant", "content": ""}, ""))
		e.pieces(texts)
		e.end(true)
	}
}

// Paced streams texts as SSE does, and after each waits for a value of pace.
func Paced(pace <-chan struct{}, texts ...string) Answer {
	return func(e *Exchange) {
		e.Start()
		for _, text := range texts {
			e.pieces([]string{text})
			select {
			case <-pace:
			case <-e.Request.Context().Done():
				return
			case <-e.down:
				return
			}
		}
		e.end(true)
	}
}

// NoUsage streams texts and never reports a usage.
func NoUsage(texts ...string) Answer {
	return func(e *Exchange) {
		e.Start()
		e.pieces(texts)
		e.end(false)
	}
}

// Reasoning streams a thought under member, then texts.
func Reasoning(member, thought string, texts ...string) Answer {
	return func(e *Exchange) {
		e.Start()
		e.Event(Chunk(map[string]any{member: thought, "content": nil}, ""))
		e.pieces(texts)
		e.end(true)
	}
}

// Raw streams the given data lines as they are and ends there, without [DONE].
func Raw(data ...string) Answer {
	return func(e *Exchange) {
		e.Start()
		for _, d := range data {
			e.Event(d)
		}
	}
}

// Plain answers with one JSON object, as upstreams that ignore "stream" do.
func Plain(text string) Answer {
	return func(e *Exchange) {
		e.Header().Set("Content-Type", "application/json")
		content, _ := json.Marshal(text)
		_, _ = fmt.Fprintf(e, `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"upstream-model","choices":[{"index":0,`+
			`"message":{"role":"assistant","content":%s},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}`, content)
	}
}

// Body answers 200 with a body of any content type.
func Body(contentType, body string) Answer {
	return func(e *Exchange) {
		e.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(e, body)
	}
}

// Vectors answers a request for embeddings with one vector an input, the last
// first, whose first number is its index, and a usage of 7 tokens.
func Vectors(dimensions int) Answer {
	return func(e *Exchange) {
		data := make([]any, e.Inputs)
		for i := range data {
			vector := make([]float32, dimensions)
			vector[0] = float32(i) + 0.5
			data[e.Inputs-1-i] = map[string]any{"object": "embedding", "index": i, "embedding": vector}
		}
		e.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(e).Encode(map[string]any{"object": "list", "data": data, "model": "upstream-model", "usage": map[string]any{"prompt_tokens": 7, "total_tokens": 7}})
	}
}

// Status refuses with a status, an OpenAI error of code and message, and headers
// given as name and value in turn.
func Status(status int, code, message string, headers ...string) Answer {
	return func(e *Exchange) {
		e.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(headers); i += 2 {
			e.Header().Set(headers[i], headers[i+1])
		}
		e.WriteHeader(status)
		_ = json.NewEncoder(e).Encode(map[string]any{"error": map[string]any{"message": message, "type": "invalid_request_error", "code": code}})
	}
}

// Hang takes the request and never answers.
func Hang() Answer { return (*Exchange).Hold }

// HangAfter streams texts and then nothing more.
func HangAfter(texts ...string) Answer {
	return func(e *Exchange) {
		e.Start()
		e.pieces(texts)
		e.Hold()
	}
}

// Drip sends one byte for each value of pace and never a whole line.
func Drip(pace <-chan struct{}) Answer {
	return func(e *Exchange) {
		e.Start()
		for {
			select {
			case <-pace:
				_, _ = io.WriteString(e, "d")
				_ = http.NewResponseController(e).Flush()
			case <-e.Request.Context().Done():
				return
			case <-e.down:
				return
			}
		}
	}
}

// Cut streams texts and then resets the connection.
func Cut(texts ...string) Answer {
	return func(e *Exchange) {
		e.Start()
		e.pieces(texts)
		panic(http.ErrAbortHandler)
	}
}

// CloseEarly streams texts and ends the stream properly, but without having
// finished.
func CloseEarly(texts ...string) Answer {
	return func(e *Exchange) {
		e.Start()
		e.pieces(texts)
	}
}

// LongLine streams "start" and then an event of n bytes in one line.
func LongLine(n int) Answer {
	return func(e *Exchange) {
		e.Start()
		e.pieces([]string{"start"})
		_, _ = io.WriteString(e, "data: ")
		block := bytes.Repeat([]byte("x"), 64<<10)
		for left := n; left > 0 && !e.Gone(); left -= len(block) {
			_, _ = e.Write(block)
		}
		e.Line("\n")
	}
}

// LongEvent streams an event of n bytes in short lines.
func LongEvent(n int) Answer {
	return func(e *Exchange) {
		e.Start()
		line := "data: " + strings.Repeat("x", 1000) + "\n"
		for left := n; left > 0 && !e.Gone(); left -= len(line) {
			_, _ = io.WriteString(e, line)
		}
		e.Line("")
	}
}

// Endless streams text without end.
func Endless(text string) Answer {
	return func(e *Exchange) {
		e.Start()
		for !e.Gone() {
			e.pieces([]string{text})
		}
	}
}

// HalfUTF8 streams "né" with the é cut between two events, then a byte that no
// text has, then NUL.
func HalfUTF8() Answer {
	return func(e *Exchange) {
		e.Start()
		for _, raw := range []string{"n\xc3", "\xa9", "\xff", `\u0000`} {
			e.Event(strings.Replace(Chunk(map[string]any{"content": "@"}, ""), "@", raw, 1))
		}
		e.end(true)
	}
}

// NoStreamOptions refuses requests with stream_options, naming them in its
// message only when explicit, and answers others by next.
func NoStreamOptions(explicit bool, next Answer) Answer {
	message := "Unknown parameter."
	if explicit {
		message = "Unrecognized request argument supplied: stream_options"
	}
	return func(e *Exchange) {
		if e.noUsage {
			next(e)
			return
		}
		Status(http.StatusBadRequest, "unknown_parameter", message)(e)
	}
}

// Models lists ids as GET /models does.
func Models(ids ...string) Answer {
	return func(e *Exchange) {
		var data []any
		for _, id := range ids {
			data = append(data, map[string]any{"id": id, "object": "model", "created": 1, "owned_by": "tests"})
		}
		e.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(e).Encode(map[string]any{"object": "list", "data": data})
	}
}
