package provider

import (
	"encoding/json"
	"strings"
	"testing"

	openai "github.com/openai/openai-go/v3"
)

const benchChunk = `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"mock","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}`

// BenchmarkChunk compares reading one event of a stream with the reading of OpenAI's own SDK.
func BenchmarkChunk(b *testing.B) {
	raw := []byte(benchChunk)
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if c, err := readChunk("", raw); err != nil || c.text == "" {
				b.Fatal(err)
			}
		}
	})
	b.Run("sdk", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var c openai.ChatCompletionChunk
			if err := json.Unmarshal(raw, &c); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkChat is a whole call of 32 pieces without a network.
func BenchmarkChat(b *testing.B) {
	stream := strings.Repeat("data: "+benchChunk+"\n\n", 32) + "data: [DONE]\n\n"
	b.ReportAllocs()
	for b.Loop() {
		e := newEvents(nopBody{strings.NewReader(stream)}, newWatchdog(b.Context(), 1<<40), 1<<40, 1<<19)
		for {
			name, data, err := e.next()
			if err != nil || string(data) == "[DONE]" {
				break
			}
			if _, err := readChunk(name, data); err != nil {
				b.Fatal(err)
			}
		}
		e.watch.stop()
	}
}

type nopBody struct{ *strings.Reader }

func (nopBody) Close() error { return nil }
