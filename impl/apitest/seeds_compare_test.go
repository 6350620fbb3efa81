package apitest_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// compareJSON compares an answer with what a seed prints: the same members, in
// the same order, of the same types, with the same values, but for the listed
// differences, all of which must be needed.
func compareJSON(t *testing.T, seed, example, printed string, got []byte) {
	t.Helper()
	want, have := flatten(t, []byte(printed)), flatten(t, got)
	used := map[string]bool{}
	allowed := func(pointer, kind string) bool {
		for _, d := range differences {
			if d.seed == seed && d.example == example && d.kind == kind && within(d.pointer, pointer) {
				used[d.pointer] = true
				return true
			}
		}
		return false
	}
	i, j := 0, 0
	for i < len(want) || j < len(have) {
		switch {
		case j < len(have) && (i == len(want) || want[i].pointer != have[j].pointer) && allowed(have[j].pointer, extra):
			j++
		case i < len(want) && (j == len(have) || want[i].pointer != have[j].pointer) && allowed(want[i].pointer, absent):
			i++
		case i == len(want) || j == len(have) || want[i].pointer != have[j].pointer:
			t.Fatalf("%s, %s: the answer has %s where the seed has %s:\n%s", seed, example, at(have, j), at(want, i), got)
		default:
			compareValue(t, want[i], have[j], allowed)
			i, j = i+1, j+1
		}
	}
	for _, d := range differences {
		if d.seed == seed && d.example == example && !used[d.pointer] {
			t.Errorf("%s, %s: needless difference %s", seed, example, d.pointer)
		}
	}
}

func compareValue(t *testing.T, want, have leaf, allowed func(pointer, kind string) bool) {
	t.Helper()
	if reflect.DeepEqual(want.value, have.value) {
		return
	}
	if fmt.Sprintf("%T", want.value) != fmt.Sprintf("%T", have.value) {
		t.Errorf("%s is a %T, the seed prints a %T", want.pointer, have.value, want.value)
		return
	}
	if !allowed(want.pointer, otherValue) {
		t.Errorf("%s is %v, the seed prints %v", want.pointer, have.value, want.value)
	}
}

// leaf is a member or item in the order of the text. Objects and arrays stand
// for themselves, then their contents.
type leaf struct {
	pointer string
	value   any // nil, bool, float64, string; "{" and "[" as jsontext.Kind
}

func at(leaves []leaf, i int) string {
	if i >= len(leaves) {
		return "its end"
	}
	return leaves[i].pointer
}

func flatten(t *testing.T, raw []byte) []leaf {
	t.Helper()
	decoder := jsontext.NewDecoder(strings.NewReader(string(raw)))
	var leaves []leaf
	for decoder.PeekKind() != 0 {
		kind := decoder.PeekKind()
		token, err := decoder.ReadToken()
		if err != nil {
			t.Fatalf("read %s: %v", raw, err)
		}
		if kind == '}' || kind == ']' || isName(decoder) {
			continue
		}
		l := leaf{pointer: string(decoder.StackPointer()), value: kind}
		if kind != '{' && kind != '[' {
			if err := json.Unmarshal(quoted(token), &l.value); err != nil {
				t.Fatal(err)
			}
		}
		leaves = append(leaves, l)
	}
	return leaves
}

// isName tells whether the token just read is the name of a member.
func isName(decoder *jsontext.Decoder) bool {
	kind, length := decoder.StackIndex(decoder.StackDepth())
	return kind == '{' && length%2 == 1
}

func quoted(token jsontext.Token) []byte {
	if token.Kind() == '"' {
		raw, _ := json.Marshal(token.String())
		return raw
	}
	return []byte(token.String())
}

// within tells whether a pointer is the pattern's place or inside it.
func within(pattern, pointer string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(pointer, "/")
	if len(got) < len(want) {
		return false
	}
	for i, segment := range want {
		if segment != "*" && segment != got[i] {
			return false
		}
	}
	return true
}
