package card_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"parley/impl/core/card"
	"parley/impl/core/fault"
)

type object = map[string]any

func encoded(t testing.TB, value any) []byte {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// ada is a card of V2 that says something in every member.
func ada() object {
	return object{
		"name": " Ada ", "description": "{{char}} counts.", "personality": "curious", "scenario": "A letter to {{USER}}.",
		"first_mes": "Good evening, {{user}}.", "mes_example": "<START>\n{{char}}: Let us see.", "creator_notes": "Notes", "system_prompt": "{{original}}Stay.",
		"post_history_instructions": "Be brief.", "alternate_greetings": []string{"Who is there?", " "}, "tags": []string{"maths"}, "creator": "",
		"character_version": "1", "extensions": object{}, "character_book": object{"entries": []any{}},
	}
}

func v2(data object) object {
	return object{"spec": "chara_card_v2", "spec_version": "2.0", "data": data}
}

// carrying is a PNG with text chunks before its pixels.
func carrying(t testing.TB, chunks ...[2]string) []byte {
	t.Helper()
	var plain bytes.Buffer
	if err := png.Encode(&plain, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	const head = 8 + 25 // signature and IHDR
	out := bytes.Clone(plain.Bytes()[:head])
	for _, c := range chunks {
		data := "tEXt" + c[0] + "\x00" + c[1]
		out = binary.BigEndian.AppendUint32(out, uint32(len(data)-4))
		out = append(out, data...)
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE([]byte(data)))
	}
	return append(out, plain.Bytes()[head:]...)
}

func base64Of(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }

func TestACardIsReadWhereverItIs(t *testing.T) {
	t.Parallel()
	whole := encoded(t, v2(ada()))
	other := encoded(t, v2(object{"name": "Other"}))
	for where, raw := range map[string][]byte{
		"JSON": whole, "V1": encoded(t, ada()),
		"a PNG":              carrying(t, [2]string{"Comment", "x"}, [2]string{"chara", base64Of(whole)}),
		"a PNG with V3, too": carrying(t, [2]string{"ccv3", base64Of(other)}, [2]string{"chara", base64Of(whole)}),
		"a PNG with V3 only": carrying(t, [2]string{"ccv3", base64Of(encoded(t, object{"spec": "chara_card_v3", "data": ada()}))}),
	} {
		c, err := card.Read(raw)
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		want := "Stay.\ncurious\nScenario: A letter to the user.\nExamples of how Ada talks:\n<START>\nAda: Let us see.\nBe brief."
		if c.Name != "Ada" || c.Description != "Ada counts." || c.Personality != want {
			t.Errorf("%s: %+v", where, c)
		}
		if !slices.Equal(c.Greetings, []string{"Good evening, the user.", "Who is there?"}) ||
			!slices.Equal(c.LeftOut, []string{"character_book", "character_version", "creator_notes", "tags"}) {
			t.Errorf("%s: greetings %q, left out %q", where, c.Greetings, c.LeftOut)
		}
		if isPicture := strings.HasPrefix(where, "a PNG"); isPicture != bytes.Equal(c.Picture, raw) {
			t.Errorf("%s: the picture has %d bytes", where, len(c.Picture))
		}
	}
}

func TestALongDescriptionBecomesPersonality(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 4001)
	c, err := card.Read(encoded(t, v2(object{"name": "Ada", "description": long, "personality": "calm"})))
	if err != nil || c.Description != "" || c.Personality != long+"\ncalm" {
		t.Errorf("%d and %d characters, %v", len(c.Description), len(c.Personality), err)
	}
}

func TestWhatIsNoBoundedCardIsRefused(t *testing.T) {
	t.Parallel()
	named := func(name string, member string, value any) []byte {
		return encoded(t, v2(object{"name": name, member: value}))
	}
	for what, raw := range map[string][]byte{
		"nothing": nil, "a list": []byte("[]"), "a text": []byte(`"card"`), "half": []byte(`{"spec":"chara_card_v2","data":{"name":"A`),
		"not UTF-8":              []byte("{\"name\":\"\xff\"}"),
		"another format":         encoded(t, object{"spec": "something", "data": ada()}),
		"no data":                encoded(t, object{"spec": "chara_card_v2"}),
		"no name":                named(" ", "tags", nil),
		"a name of control":      named("\x00\x1b", "tags", nil),
		"an endless name":        named(strings.Repeat("a", 201), "tags", nil),
		"an endless personality": named("Ada", "personality", strings.Repeat("a", 20_001)),
		"growth by names":        named(strings.Repeat("n", 200), "scenario", strings.Repeat("{{char}}", 2_000)),
		"an endless greeting":    named("Ada", "first_mes", strings.Repeat("a", 20_001)),
		"greetings without end":  named("Ada", "alternate_greetings", slices.Repeat([]string{"Hi"}, 102)),
		"nested without end":     []byte(`{"name":"Ada","x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`),
		"a PNG without":          carrying(t),
		"a PNG with nonsense":    carrying(t, [2]string{"chara", "!!!"}),
		"a PNG with a page":      carrying(t, [2]string{"chara", base64Of([]byte("<script>alert(1)</script>"))}),
		"a PNG cut off":          carrying(t, [2]string{"chara", base64Of(encoded(t, v2(ada())))})[:60],
		"a chunk of 4 GB":        append(carrying(t)[:33], "\xff\xff\xff\xfftEXtchara\x00"...),
		"a card of megabytes":    carrying(t, [2]string{"chara", base64Of(named("Ada", "x", strings.Repeat("a", 2<<20)))}),
	} {
		if c, err := card.Read(raw); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: taken as %.200s, %v", what, fmt.Sprint(c.Name, c.Personality), err)
		}
	}
}

func TestControlCharactersAreNotTaken(t *testing.T) {
	t.Parallel()
	c, err := card.Read([]byte(`{"spec":"chara_card_v2","data":{"name":"A\u0000d\u001b[31ma","personality":"one\n\u0007two\t\u0000","first_mes":7,"alternate_greetings":"none"}}`))
	if err != nil || c.Name != "Ad[31ma" || c.Personality != "one\ntwo" || len(c.Greetings) != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(encoded(f, v2(ada())))
	f.Add(carrying(f, [2]string{"chara", base64Of(encoded(f, v2(ada())))}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := card.Read(raw)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Error(err)
			}
			return
		}
		for _, text := range append([]string{c.Name, c.Description, c.Personality}, c.Greetings...) {
			if !utf8.ValidString(text) || strings.Contains(text, "\x00") || utf8.RuneCountInString(text) > 20_000 {
				t.Errorf("took %.100q", text)
			}
		}
	})
}
