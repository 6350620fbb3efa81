package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// program is what the mock upstream answers with. It holds for all requests
// until the next one is set by PUT /program.
type program struct {
	Tokens  int           `json:"tokens"`   // pieces of an answer; 32 by default
	First   time.Duration `json:"first"`    // before the first piece
	Pace    time.Duration `json:"pace"`     // between pieces
	AtOnce  bool          `json:"at_once"`  // a stream is sent in one write
	Stamped bool          `json:"stamped"`  // pieces are the times at which they were sent, "t<nanoseconds> "
	HoldFor time.Duration `json:"hold_for"` // pause after the first piece, in place of the rest at its pace
}

const piece = "word "

// text is what an answer of the program reads, unless it is stamped.
func (p program) text() string { return strings.Repeat(piece, p.Tokens) }

// upstream is an OpenAI-compatible API with one model.
type upstream struct{ program atomic.Pointer[program] }

func serveUpstream(listen string) error {
	u := &upstream{}
	u.program.Store(&program{Tokens: 32})
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /program", u.setProgram)
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"object":"list","data":[{"id":%q,"object":"model","created":1,"owned_by":"bench","context_length":%d}]}`, modelName, contextTokens)
	})
	mux.HandleFunc("POST /v1/chat/completions", u.answer)
	return http.ListenAndServe(listen, mux)
}

func (u *upstream) setProgram(w http.ResponseWriter, r *http.Request) {
	var p program
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	u.program.Store(&p)
}

var streamed = []byte(`"stream":true`)

func (u *upstream) answer(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	if _, err := body.ReadFrom(r.Body); err != nil {
		return
	}
	p := *u.program.Load()
	compact := bytes.ReplaceAll(body.Bytes(), []byte(`": `), []byte(`":`))
	if bytes.Contains(compact, streamed) {
		p.stream(w, r)
		return
	}
	p.whole(w)
}

const usage = `{"prompt_tokens":40,"completion_tokens":%d,"total_tokens":%d}`

func (p program) whole(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":%q,"choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],"usage":`+usage+`}`,
		modelName, p.text(), p.Tokens, p.Tokens+40)
}

const (
	head = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"` + modelName + `","choices":[{"index":0,"delta":`
	tail = `,"finish_reason":null}]}` + "\n\n"
	last = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"` + modelName +
		`","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	counted = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"` + modelName + `","choices":[],"usage":` + usage + "}\n\ndata: [DONE]\n\n"
)

func (p program) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	send := func(text string) bool {
		_, err := w.Write([]byte(text))
		if err == nil && !p.AtOnce {
			err = control.Flush()
		}
		return err == nil
	}
	if !pause(r, p.First) {
		return
	}
	next := time.Now()
	for i := range p.Tokens {
		if !send(head + `{"content":"` + p.piece() + `"}` + tail) {
			return
		}
		if i == 0 && !p.hold(r, send) {
			return
		}
		next = next.Add(p.Pace) // by the clock, so that delays do not add up
		if p.Pace > 0 && i < p.Tokens-1 && !pause(r, time.Until(next)) {
			return
		}
	}
	if send(last) {
		send(fmt.Sprintf(counted, p.Tokens, p.Tokens+40))
	}
}

// hold keeps a stream open without a piece. Comments show that it lives.
func (p program) hold(r *http.Request, send func(string) bool) bool {
	const beat = 10 * time.Second
	for left := p.HoldFor; left > 0; left -= beat {
		if !pause(r, min(left, beat)) || !send(":\n\n") {
			return false
		}
	}
	return true
}

func (p program) piece() string {
	if p.Stamped {
		return "t" + strconv.FormatInt(time.Now().UnixNano(), 10) + " "
	}
	return piece
}

// pause waits; false when the client left meanwhile.
func pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
