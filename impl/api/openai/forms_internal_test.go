package openai

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	gen "parley/gen/openai"
	"parley/impl/core/turn"
)

// The chunks of a stream are what encoding/json makes of the generated type, whatever the text, the kind and the model.
func TestChunksAreThoseOfTheGeneratedType(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	v := turn.View{TurnID: "turn_1", ModelID: "a <model>", BeganAt: time.Unix(1700000000, 0), Options: json.RawMessage(`{"include_usage":true}`), State: new(any)}
	for n := range int64(2_000) {
		text := ""
		for range random.IntN(5) {
			text += []string{"word ", `"`, "<&>", "\u2028", "\xff", "ü", "\n", string(rune(random.IntN(0x11000)))}[random.IntN(8)]
		}
		e := turn.Event{N: n + 1, Kind: turn.Delta, Text: text}
		delta := gen.ChatCompletionDelta{Content: &text}
		if random.IntN(3) == 0 {
			e.Kind, delta = turn.Thought, gen.ChatCompletionDelta{ReasoningContent: &text}
		}
		if random.IntN(50) == 0 {
			v.ModelID += "'"
		}
		c := chunk(v)
		c.Choices = []gen.ChatCompletionChunkChoice{{Delta: delta}}
		if random.IntN(10) == 0 && e.Kind == turn.Delta {
			e.Logprobs = `[{"token":"a","logprob":-1,"bytes":null,"top_logprobs":[]}]`
			c.Choices[0].Logprobs = toAPILogprobs(e.Logprobs)
		}
		frames := Encode(v, e)
		if n == 0 && len(frames) != 2 || n > 0 && len(frames) != 1 {
			t.Fatalf("event %d: %d frames", n+1, len(frames))
		}
		got, err := json.Marshal(frames[len(frames)-1].Content())
		want, wantErr := json.Marshal(c)
		if err != nil || wantErr != nil || string(got) != string(want) {
			t.Fatalf("%s, want %s (%v, %v)", got, want, err, wantErr)
		}
	}
}
