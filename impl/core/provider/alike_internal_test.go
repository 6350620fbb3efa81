package provider

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// FuzzAlike reads a stream of events both ways.
func FuzzAlike(f *testing.F) {
	event := func(text, rest string) string {
		return `{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":` + text + `},"finish_reason":null}]` + rest + "}"
	}
	f.Add(strings.Join([]string{event(`"a"`, ""), event(`"b c"`, ""), event(`"\\u0061"`, ""), event(`"d"`, ""), event(`""`, ""), event(`"ü\xff"`, ""), event(`"e"`, `,"x":1`)}, "\n"))
	f.Add(strings.Join([]string{event(`"a"`, `,"obfuscation":"zzz"`), event(`"b"`, `,"obfuscation":"z"`), event(`"c"`, ""), event(`"d"`, `,"obfuscation":"\\"`)}, "\n"))
	f.Add(strings.Join([]string{event(`"m"`, ""), event(`"n"`, ""), event(`"a","refusal":"b"`, `,"y":"ab"`), event(`"a","refusal":"b"`, `,"y":"cd"`)}, "\n"))
	f.Add(strings.Join([]string{event(`"\\u0061"`, `,"y":"a"`), event(`"\\u0061"`, `,"y":"b"`)}, "\n"))
	f.Add(strings.Join([]string{event(`"a"`, ""), event(`"b`, ""), event(`"b" `, ""), event(`5`, ""), event(`"b"}`, "{"), event("\"\t\"", ""), "[DONE]", ""}, "\n"))
	f.Add(strings.Join([]string{`{"choices":[{"delta":{"content":"a"}}],"obfuscation":"1"}`, `{"choices":[{"delta":{"content":"b"}}],"x":{"y":1,"obfuscation":"1"}`}, "\n"))
	f.Add(strings.Join([]string{event(`"a"`, `,"error":null`), event(`"b"`, `,"error":null`), event(`"b"`, `,"error":1`), event(`"a"`, `,"usage":{}`), event(`"b"`, `,"usage":{}`)}, "\n"))
	f.Fuzz(func(t *testing.T, stream string) { readBothWays(t, strings.Split(stream, "\n")) })
}

func readBothWays(t *testing.T, stream []string) (alone int) {
	t.Helper()
	var a alike
	for _, event := range stream {
		got, gotErr := a.read("", []byte(event))
		want, wantErr := readChunk("", []byte(event))
		if gotErr == nil && got.choice == "" && want.choice != "" { // of a text alone nobody reads it
			want.choice, want.raw = "", ""
			alone++
		}
		if !errors.Is(gotErr, wantErr) || (got.usage == nil) != (want.usage == nil) {
			t.Fatalf("%q: %+v %v, want %+v %v", event, got, gotErr, want, wantErr)
		}
		got.usage, want.usage = nil, nil
		if got != want {
			t.Fatalf("%q of %q: %+v, want %+v", event, stream, got, want)
		}
	}
	return alone
}

// Events of all sorts, and damaged ones, are read as without those before them.
func TestEventsAreReadAsOnTheirOwn(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	one := func(of ...string) string { return of[random.IntN(len(of))] }
	alone := 0
	for range 5_000 {
		id, rest := one("c", "word", ""), one("", `,"usage":null`, `,"x":"word"`, `,"error":null`, `,"x":{"obfuscation":"a"}`)
		member, behind := one("content", "refusal", "reasoning"), one("", `,"refusal":"no"`, `,"role":"assistant"`, `,"content":"twice"`)
		var stream []string
		for range 1 + random.IntN(6) {
			text := one("word", "word ", "a", "", `\"`, `\u0061`, "\u2028", "\xff", "\t", "ü", `","x":"`, one("c", "no", "twice"))
			event := `{"id":"` + id + `","choices":[{"index":0,"delta":{"` + member + `":"` + text + `"` + behind + `}}]` + rest + one("", "", `,"obfuscation":"xyz"`, `,"obfuscation":"\""`) + "}"
			if random.IntN(6) == 0 {
				damaged := []byte(event)
				damaged[random.IntN(len(damaged))] = byte(random.IntN(256))
				event = string(damaged)
			}
			stream = append(stream, event)
		}
		alone += readBothWays(t, stream)
	}
	if alone < 300 {
		t.Errorf("%d events were read by their text alone", alone)
	}
}

// What most upstreams send is not read as JSON again and again, with OpenAI's padding or without.
func TestPiecesAlikeAreReadByComparison(t *testing.T) {
	t.Parallel()
	for _, padding := range [][]string{{"", ""}, {`,"obfuscation":"abc"`, `,"obfuscation":"d"`}, {"", `,"obfuscation":"d"`}} {
		var a alike
		for i, text := range []string{"first", "second", "third"} {
			event := `{"id":"c","choices":[{"index":0,"delta":{"content":"` + text + `"}}]` + padding[min(i, 1)] + "}"
			c, err := a.read("", []byte(event))
			if err != nil || c.text != text || (c.choice == "") != (i > 0) {
				t.Errorf("%q: %+v, %v", event, c, err)
			}
		}
	}
}
