package providertest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Painter is a server of pictures under a test's control. It speaks OpenAI's
// POST /v1/images/generations and the API of Stable Diffusion web UIs.
type Painter struct {
	URL string // without /v1 and /sdapi

	mu          sync.Mutex
	answer      func(w http.ResponseWriter, r Received)
	progress    float64
	received    []Received
	interrupted int
}

// NewPainter starts a Painter, stopped with the test. It answers with a small
// picture until told otherwise, says of every picture that it is made to 40 percent,
// and has the models "sd_xl_base" and "dall-e-test".
func NewPainter(t testing.TB) *Painter {
	t.Helper()
	p := &Painter{progress: 0.4}
	srv := httptest.NewServer(http.HandlerFunc(p.serve))
	p.URL = srv.URL
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return p
}

// Answers replaces what a request for a picture is answered with.
func (p *Painter) Answers(answer func(w http.ResponseWriter, r Received)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// Received are the requests for pictures so far.
func (p *Painter) Received() []Received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Received{}, p.received...)
}

// Interrupted is how often a picture was called off so far.
func (p *Painter) Interrupted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.interrupted
}

func (p *Painter) serve(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	got := Received{Method: r.Method, Path: r.URL.Path, Header: r.Header}
	_ = json.Unmarshal(raw, &got.Body)
	switch {
	case strings.HasSuffix(r.URL.Path, "/v1/models"):
		WriteJSON(w, map[string]any{"data": []any{map[string]any{"id": "dall-e-test", "object": "model"}}})
	case strings.HasSuffix(r.URL.Path, "/sd-models"):
		WriteJSON(w, []any{map[string]any{"title": "sd_xl_base [31e35c80fc]", "model_name": "sd_xl_base"}})
	case strings.HasSuffix(r.URL.Path, "/progress"):
		WriteJSON(w, map[string]any{"progress": p.progress})
	case strings.HasSuffix(r.URL.Path, "/interrupt"):
		p.mu.Lock()
		p.interrupted++
		p.mu.Unlock()
		WriteJSON(w, map[string]any{})
	default:
		p.mu.Lock()
		p.received = append(p.received, got)
		answer := p.answer
		p.mu.Unlock()
		if answer == nil {
			answer = func(w http.ResponseWriter, r Received) { WritePicture(w, r, Picture(16, 8)) }
		}
		answer(w, got)
	}
}

// WriteJSON answers with a value.
func WriteJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // a client that left is no failure
}

// WritePicture answers a request with an encoded picture, in the words of the API that it came by.
func WritePicture(w http.ResponseWriter, r Received, raw []byte) {
	text := base64.StdEncoding.EncodeToString(raw)
	if strings.HasSuffix(r.Path, "/txt2img") {
		WriteJSON(w, map[string]any{"images": []string{text}, "parameters": map[string]any{}, "info": "{}"})
		return
	}
	WriteJSON(w, map[string]any{"created": 1, "data": []any{map[string]any{"b64_json": text}}})
}

// Picture is a PNG of a width and height.
func Picture(width, height int) []byte {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	m.Set(0, 0, color.RGBA{R: 255, A: 255})
	var out bytes.Buffer
	if err := png.Encode(&out, m); err != nil {
		panic(err)
	}
	return out.Bytes()
}
