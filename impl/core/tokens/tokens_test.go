package tokens_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tiktoken-go/tokenizer/codec"

	"parley/impl/core/fault"
	"parley/impl/core/tokens"
)

func TestCountByVocabulary(t *testing.T) {
	t.Parallel()
	const text = "Guten Tag, 你好, здравствуйте! 12345"
	o200k, _ := codec.NewO200kBase().Count(text)
	cl100k, _ := codec.NewCl100kBase().Count(text)
	if o200k == cl100k {
		t.Fatal("the text does not tell the vocabularies apart")
	}
	for model, want := range map[string]int{
		"": o200k, "parley-builtin": o200k, "gpt-4o": o200k, "gpt-4-o": o200k, "gpt-4.1-mini": o200k, "llama3": o200k, "ft:gpt-4o:x": o200k,
		"gpt-4": cl100k, "gpt-4-turbo": cl100k, "openai/gpt-4": cl100k, "gpt-3.5-turbo": cl100k, "ft:gpt-4:x": cl100k,
		"text-embedding-3-small": cl100k,
	} {
		if got := tokens.Count(model, text); got != want {
			t.Errorf("Count(%q) = %d, want %d", model, got, want)
		}
	}
	if got := tokens.Count("", ""); got != 0 {
		t.Errorf("empty text counts %d", got)
	}
}

// Windows must not change what prose counts, and little what hostile text does.
func TestCountInWindowsMatchesWhole(t *testing.T) {
	t.Parallel()
	whole := codec.NewO200kBase()
	for name, c := range map[string]struct {
		text string
		slip float64
	}{
		"prose":   {strings.Repeat("It's the tokenizer's job;\n\n  to split THIS text, 3.14159 times! ", 150), 0},
		"chinese": {strings.Repeat("漢字とかな交じり文。", 300), 0.02},
		"letters": {strings.Repeat("abc", 2000), 0.02},
		"bytes":   {strings.Repeat("\xff\xfe", 2000), 0.02},
	} {
		want, _ := whole.Count(c.text)
		got := tokens.Count("", c.text)
		if slip := float64(got-want) / float64(want); slip < -c.slip || slip > c.slip {
			t.Errorf("%s: counted %d, whole %d", name, got, want)
		}
	}
}

func TestCountOfLongTextIsClose(t *testing.T) {
	t.Parallel()
	unit := "The quick brown fox jumps over the lazy dog, again and again. "
	short := tokens.Count("", strings.Repeat(unit, 1000))
	long := tokens.Count("", strings.Repeat(unit, 17000))
	if want := short * 17; long < want*97/100 || long > want*103/100 {
		t.Errorf("1 MB counted %d, want about %d", long, want)
	}
}

// hostile are the shapes that cost tokenizers most.
func hostile(n int) map[string]string {
	fill := func(s string) string { return strings.Repeat(s, n/len(s)) }
	return map[string]string{
		"blanks and line ends": fill(" \n"), "blanks": fill(" "), "tabs": fill("\t "), "letters": fill("a"),
		"capitals": fill("A"), "marks": fill("\u0301"), "punctuation": fill("!?"), "slashes": fill("/\r\n"),
		"invalid": fill("\xff\xfe"), "digits": fill("9"), "han": fill("漢"), "apostrophes": fill("'s"),
	}
}

func TestHostileTextIsCheap(t *testing.T) {
	tokens.Count("", "load")
	for name, text := range hostile(1 << 20) {
		var n int
		took := time.Hour
		for tries := 0; tries < 5 && took > 500*time.Millisecond; tries++ { // what is more is the machine's
			start := time.Now()
			n = tokens.Count("", text)
			took = time.Since(start)
		}
		// 50 ms without the race detector, which slows this code tenfold.
		if took > 500*time.Millisecond {
			t.Errorf("%s: 1 MB took %v", name, took)
		}
		if n <= 0 {
			t.Errorf("%s: counted %d", name, n)
		}
	}
}

func TestCountConcurrently(t *testing.T) {
	t.Parallel()
	want := tokens.Count("gpt-4", "one two three")
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if got := tokens.Count("gpt-4", "one two three"); got != want {
				t.Errorf("counted %d, want %d", got, want)
			}
		})
	}
	wg.Wait()
}

func conversation() []tokens.Message {
	word := strings.Repeat("word ", 100)
	return []tokens.Message{
		{Role: tokens.RoleSystem, Content: "You are Ada."},
		{Role: tokens.RoleUser, Content: "first " + word},
		{Role: tokens.RoleAssistant, Content: "second " + word},
		{Role: tokens.RoleUser, Content: "third " + word},
		{Role: tokens.RoleAssistant, Content: "fourth " + word},
		{Role: tokens.RoleUser, Content: "fifth " + word},
	}
}

func firstWords(messages []tokens.Message) string {
	var words []string
	for _, m := range messages {
		words = append(words, strings.Fields(m.Content)[0])
	}
	return strings.Join(words, " ")
}

func TestFit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		context, reserve int
		want             string
	}{
		{"AllFit", 10000, 100, "You first second third fourth fifth"},
		{"UnknownContextKeepsAll", 0, 100, "You first second third fourth fifth"},
		{"OldestGoFirst", 500, 100, "You third fourth fifth"},
		{"ReserveCounts", 500, 300, "You fifth"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := tokens.Fit("", conversation(), c.context, c.reserve)
			if err != nil || firstWords(got) != c.want {
				t.Fatalf("kept %q, %v; want %q", firstWords(got), err, c.want)
			}
			if n := tokens.CountMessages("", got); c.context > 0 && n+c.reserve > c.context {
				t.Fatalf("%d tokens and %d reserved exceed %d", n, c.reserve, c.context)
			}
		})
	}
}

func TestFitRefusesALastMessageThatCannotFit(t *testing.T) {
	t.Parallel()
	_, err := tokens.Fit("", conversation(), 100, 50)
	if fault.KindOf(err) != fault.TooLarge || !strings.Contains(err.Error(), "100 tokens") {
		t.Fatalf("got %v", err)
	}
}

func TestFitKeepsTheLastUserMessageBeforeNewerOnes(t *testing.T) {
	t.Parallel()
	messages := append(conversation(), tokens.Message{Role: tokens.RoleAssistant, Content: strings.Repeat("sixth ", 200)})
	got, err := tokens.Fit("", messages, 200, 50)
	if err != nil || firstWords(got) != "You fifth" {
		t.Fatalf("kept %q, %v", firstWords(got), err)
	}
}

func BenchmarkCount(b *testing.B) {
	texts := hostile(64 << 10)
	for name, text := range hostile(1 << 20) {
		texts["1 MB of "+name] = text
	}
	texts["prose 1 kB"] = strings.Repeat("The quick brown fox jumps over it. ", 29)
	for name, text := range texts {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				tokens.Count("", text)
			}
		})
	}
}
