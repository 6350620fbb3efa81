package turn

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

// awkward is what encoding/json does not copy, and what it does though it might not be expected.
var awkward = []string{
	"", "word ", `"`, `\`, "<b>", "a & b", "\n", "\t", "\x00", "\x1f", "\x7f", "ü", "\u2027", "\u2028", "\u2029", "\u202a", "😀", "\ufffd", "\xff", "\xc3", "a\xe2\x80",
	"\xed\xa0\x80", "\u0085", "\b\f\r",
}

func randomText(random *rand.Rand) string {
	text := ""
	for range random.IntN(6) {
		switch random.IntN(3) {
		case 0:
			text += awkward[random.IntN(len(awkward))]
		case 1:
			text += string(rune(random.IntN(utf8.MaxRune)))
		default:
			text += string([]byte{byte(random.IntN(256))})
		}
	}
	return text
}

// example is as the surfaces' chunks are: members before and after, and an escaped one.
type example struct {
	ID      string         `json:"id"`
	Choices []exampleDelta `json:"choices"`
	Finish  *string        `json:"finish_reason"`
	Model   string         `json:"model"`
}

type exampleDelta struct {
	Content string `json:"content"`
}

func TestAPieceIsWhatJSONMakesOfItsData(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	texts := append([]string{}, awkward...)
	for range 20_000 {
		texts = append(texts, randomText(random))
	}
	data := func(text string) example {
		return example{ID: "<id>", Choices: []exampleDelta{{Content: text}}, Model: "a \u2028 model"}
	}
	form := FormOf(data(Hole))
	for _, text := range texts {
		want := encode(data(text))
		if got := form.With(text).AppendTo(nil); string(got) != string(want) {
			t.Fatalf("%q: %s, want %s", text, got, want)
		}
	}
	generic, err := json.Marshal(form.With("a < b"))
	if want := encode(data("a < b")); err != nil || string(generic) != string(want) {
		t.Errorf("%s, %v, want %s", generic, err, want)
	}
}
