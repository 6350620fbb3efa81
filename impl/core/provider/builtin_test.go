package provider_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"parley/impl/core/provider"
)

// says makes a conversation of user messages with a short answer between each two.
func says(texts ...string) provider.Request {
	req := provider.Request{Model: provider.BuiltInID}
	for i, text := range texts {
		if i > 0 {
			req.Messages = append(req.Messages, provider.Message{Role: provider.RoleAssistant, Content: "Noted."})
		}
		req.Messages = append(req.Messages, provider.Message{Role: provider.RoleUser, Content: text})
	}
	return req
}

func withSystem(prompt string, req provider.Request) provider.Request {
	req.Messages = slices.Insert(req.Messages, 0, provider.Message{Role: provider.RoleSystem, Content: prompt})
	return req
}

func TestBuiltInSaysWhatItIsAndWhatItSaw(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		req    provider.Request
		has    []string
		hasNot []string
	}{
		"First":          {says("Tell me about   cats."), []string{"built-in offline assistant, not a language model", "“Tell me about cats.”", "message 1"}, nil},
		"Later":          {says("I like tea.", "Good morning!"), []string{"no language model", "“Good morning!”", "message 2", "“I like tea.”"}, nil},
		"Recall":         {says("I like tea.", "And cake.", "What did I say before?"), []string{"“And cake.”"}, []string{"tea"}},
		"RecallFirst":    {says("I like tea.", "And cake.", "What was my first message?"), []string{"“I like tea.”"}, []string{"cake"}},
		"FindsEarlier":   {says("My name is Ann. I live in Oslo.", "I like tea.", "What is my name?"), []string{"“My name is Ann.”"}, []string{"Oslo"}},
		"Persona":        {withSystem("You are Ada Lovelace, a mathematician. SECRET rule.", says("Hi")), []string{"stand in for Ada Lovelace."}, []string{"SECRET", "mathematician"}},
		"Named":          {withSystem("Name: Grace\nPersonality: dry", says("Hi")), []string{"stand in for Grace."}, []string{"dry"}},
		"Personality":    {withSystem("Age: 35\nPersonality: cheerful, curious", says("Hi")), []string{"cheerful, curious"}, []string{"35"}},
		"NotAPersona":    {withSystem("You are not allowed to swear.", says("Hi")), nil, []string{"stand in", "swear"}},
		"OtherPrompt":    {withSystem("SECRET: only answer in rhymes.", says("Hi")), []string{"“Hi”"}, []string{"SECRET", "rhymes"}},
		"NoText":         {says("  "), []string{"no text"}, nil},
		"NoMessages":     {provider.Request{}, []string{"built-in offline assistant"}, nil},
		"OtherLanguages": {says("我的猫叫汤姆。", "天气很好。", "我的猫叫什么？"), []string{"“我的猫叫汤姆。”"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := chat(t, provider.BuiltIn{}, c.req)
			if h.err != nil || h.thought != "" || h.Usage.Estimated {
				t.Fatalf("%+v", h)
			}
			for _, part := range c.has {
				if !strings.Contains(h.text, part) {
					t.Errorf("no %q in %q", part, h.text)
				}
			}
			for _, part := range c.hasNot {
				if strings.Contains(h.text, part) {
					t.Errorf("%q in %q", part, h.text)
				}
			}
		})
	}
}

func handbook() []provider.Passage {
	return []provider.Passage{
		{ID: "a", Title: "Shipping", Text: "We ship on weekdays. Parcels to Norway take 3.5 days [7]. Express parcels arrive the next day."},
		{ID: "b", Title: "Returns", Text: "Refunds are paid within 14 days of the return.\n\nOpened boxes cannot be returned."},
		{ID: "c", Title: "Empty"},
	}
}

func TestBuiltInQuotesItsKnowledge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		question string
		cited    []int
		has      string
	}{
		{"How long does a refund take?", []int{1}, "“Refunds are paid within 14 days of the return.” [2]"},
		{"When will my parcel reach Norway?", []int{0}, "“Parcels to Norway take 3.5 days.” [1]"},
		{"Who was Napoleon?", nil, "says nothing that matches"},
		{"", nil, "says nothing that matches"},
	} {
		req := says("Hello", c.question)
		req.Knowledge = handbook()
		h := chat(t, provider.BuiltIn{}, req)
		if h.err != nil || !slices.Equal(h.Cited, c.cited) || !strings.Contains(h.text, c.has) {
			t.Errorf("%q: %q cites %v, %v", c.question, h.text, h.Cited, h.err)
		}
	}
}

func TestBuiltInIsDeterministicAndShort(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a b c d e f g h parcel norway refund ", 3000)
	req := withSystem("You are "+long, says(long, long, long))
	for _, knowledge := range [][]provider.Passage{nil, {{Text: long}, {Text: long}}} {
		req.Knowledge = knowledge
		first, second := chat(t, provider.BuiltIn{}, req), chat(t, provider.BuiltIn{}, req)
		if first.text != second.text || !reflect.DeepEqual(first.Result, second.Result) {
			t.Errorf("%q, then %q", first.text, second.text)
		}
		if words := len(strings.Fields(first.text)); words > 130 {
			t.Errorf("%d words: %q", words, first.text)
		}
		if first.took > 10*time.Second {
			t.Errorf("took %v", first.took)
		}
	}
}

func TestBuiltInKeepsToMaxOutputTokens(t *testing.T) {
	t.Parallel()
	req := says("Hello")
	req.MaxOutputTokens = 5
	h := chat(t, provider.BuiltIn{}, req)
	if h.err != nil || h.FinishReason != provider.FinishLength || h.Usage.OutputTokens == 0 || h.Usage.OutputTokens > 5 {
		t.Fatalf("%+v", h)
	}
}

func TestBuiltInStreamsWordByWord(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	var pieces []string
	_, err := provider.BuiltIn{}.Chat(t.Context(), says("Hello"), func(d provider.Delta) error {
		if pieces = append(pieces, d.Text); len(pieces) == 3 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || !slices.Equal(pieces, []string{"I", " am", " Parley's"}) {
		t.Fatalf("%q, %v", pieces, err)
	}
}

func FuzzBuiltIn(f *testing.F) {
	f.Add("You are Ada.", "My name is Ann.", "What did I say before?", "")
	f.Add("Name: \x00", "\xff\xfe[1]", "a\x00b", "[1] a. b! c? [2, 3]\n\n- d")
	f.Add("", " ", "\u2029。", "漢字。漢字")
	f.Fuzz(func(t *testing.T, system, earlier, question, passage string) {
		req := withSystem(system, says(earlier, question))
		if passage != "" {
			req.Knowledge = []provider.Passage{{Text: passage}, {Text: earlier}}
		}
		h := chat(t, provider.BuiltIn{}, req)
		if h.err != nil || !utf8.ValidString(h.text) || strings.Contains(h.text, "\x00") || h.text == "" {
			t.Fatalf("%q, %v", h.text, h.err)
		}
		if words := len(strings.Fields(h.text)); words > 130 {
			t.Fatalf("%d words: %q", words, h.text)
		}
		for _, i := range h.Cited {
			if i < 0 || i >= len(req.Knowledge) {
				t.Fatalf("cites %d", i)
			}
		}
	})
}

func BenchmarkBuiltIn(b *testing.B) {
	req := says("I like tea.", "How long does a refund take?")
	req.Knowledge = handbook()
	for b.Loop() {
		_, _ = provider.BuiltIn{}.Chat(b.Context(), req, func(provider.Delta) error { return nil })
	}
}
