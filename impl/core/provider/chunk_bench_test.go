package provider

import (
	"encoding/json"
	"testing"

	openai "github.com/openai/openai-go/v3"
)

// BenchmarkChunk compares reading one event of a stream with the SDK's reading.
func BenchmarkChunk(b *testing.B) {
	raw := []byte(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"mock","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}`)
	b.Run("ours", func(b *testing.B) { benchmarkChunk[chunk](b, raw) })
	b.Run("sdk", func(b *testing.B) { benchmarkChunk[openai.ChatCompletionChunk](b, raw) })
}

func benchmarkChunk[T any](b *testing.B, raw []byte) {
	b.ReportAllocs()
	for b.Loop() {
		var into T
		if err := json.Unmarshal(raw, &into); err != nil {
			b.Fatal(err)
		}
	}
}
