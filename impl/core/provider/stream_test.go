package provider_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"parley/impl/core/fault"
	"parley/impl/core/provider"
)

// bodies is a transport that answers with one event stream.
type bodies string

func (b bodies) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"text/event-stream"}},
		Body:       io.NopCloser(strings.NewReader(string(b))),
	}, nil
}

// Whatever an upstream streams, an answer is storable text and a failure is a fault.
func FuzzStream(f *testing.F) {
	f.Add("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"n\xc3\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	f.Add("data: {\"choices\":[{\"delta\":{\"content\":5,\"reasoning\":[1]}}],\"usage\":{\"prompt_tokens\":\"x\",\"completion_tokens\":1e400}}\r\n\r\n")
	f.Add(": ping\nevent: error\ndata: {\"error\":null}\n\n")
	f.Add("data: {\"choices\":{\"0\":[]},\"usage\":[],\"model\":{}}\n\ndata: null\n\ndata: \"x\"\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		p := provider.NewOpenAI(provider.OpenAIOptions{
			BaseURL: "http://upstream.test/v1", Client: &http.Client{Transport: bodies(stream)}, RetriesMax: -1,
		})
		h := chat(t, p, ask())
		if !utf8.ValidString(h.text+h.thought+h.Model) || strings.Contains(h.text+h.thought+h.Model, "\x00") {
			t.Fatalf("%q %q %q", h.text, h.thought, h.Model)
		}
		if h.err != nil && fault.KindOf(h.err) != fault.Upstream {
			t.Fatalf("%v", h.err)
		}
		if h.Usage.InputTokens < 0 || h.Usage.OutputTokens < 0 {
			t.Fatalf("%+v", h.Usage)
		}
	})
}
