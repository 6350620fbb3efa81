package apitest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// weatherTool is a function that takes a city.
const weatherTool = `{"type":"function","name":"get_weather","description":"The weather.","parameters":{"type":"object","required":["city"],"properties":{"city":{"type":"string"}}}}`

// script says every kind of event once, each with the last event that answers it.
func script(beta bool) [][2]string {
	modalities, kind := `"type":"realtime","output_modalities":["text"]`, "conversation.item.done"
	if beta {
		modalities, kind = `"modalities":["text"],"temperature":0.7`, "conversation.item.created"
	}
	return [][2]string{
		{"", "conversation.created"},
		{`{"type":"session.update","event_id":"mine","session":{` + modalities + `,"instructions":"Be brief.","tools":[` + weatherTool + `]}}`, "session.updated"},
		{userSays("Hello!"), kind},
		{`{"type":"response.create"}`, "response.done"},
		{`{"type":"conversation.item.create","previous_item_id":"root","item":{"id":"item_first","type":"message","role":"system","content":[{"type":"input_text","text":"First."}]}}`, kind},
		{`{"type":"conversation.item.retrieve","item_id":"item_first"}`, "conversation.item.retrieved"},
		{`{"type":"response.create","response":{"tool_choice":"required","metadata":{"n":"1"}}}`, "response.done"},
		{`{"type":"response.create","response":{"conversation":"none","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Aside"}]}],"tools":[]}}`, "response.done"},
		{`{"type":"conversation.item.delete","item_id":"item_first"}`, "conversation.item.deleted"},
		{`{"type":"input_audio_buffer.clear"}`, "input_audio_buffer.cleared"},
		{`{"type":"response.cancel","event_id":"late"}`, "error"},
		{`{"type":"input_audio_buffer.append","audio":"AAAA"}`, "error"},
		{`{"type":"conversation.item.delete","item_id":"item_first"}`, "error"},
		{`{"type":"conversation.item.create","previous_item_id":"nowhere","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"x"}]}}`, "error"},
		{`{"type":"no.such.event"}`, "error"},
		{`{"type":`, "error"},
	}
}

var (
	anyID   = regexp.MustCompile(`\b(event|item|resp|sess|conv|call)_[0-9a-z]{16,}`)
	anyTime = regexp.MustCompile(`"(expires_at|reset_seconds)":[0-9.]+`)
)

// masker gives ids the numbers of their first appearance.
type masker map[string]string

func (m masker) mask(raw []byte) string {
	masked := anyID.ReplaceAllStringFunc(string(raw), func(id string) string {
		kind, _, _ := strings.Cut(id, "_")
		if kind == "event" {
			return "event_n"
		}
		if m[id] == "" {
			n := 1
			for known := range m {
				if strings.HasPrefix(known, kind+"_") {
					n++
				}
			}
			m[id] = fmt.Sprintf("%s_%d", kind, n)
		}
		return m[id]
	})
	return anyTime.ReplaceAllString(masked, `"$1":0`)
}

// The whole conversation of a script, in both shapes, is as it was written down.
func TestRealtimeTranscripts(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]http.Header{"beta": inBeta(), "today": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newTenant(t).talkTo(t, "model=gpt-4o-realtime-preview-2024-12-17", header)
			matchGolden(t, name, k.transcript(script(name == "beta")))
		})
	}
}

// transcript says the lines of a script and returns what was said by both. How
// sound is cut is up to the wire: of it only the size is written down, when it has ended.
func (k *talk) transcript(script [][2]string) string {
	k.t.Helper()
	var got strings.Builder
	ids, sound := masker{}, 0
	for _, step := range script {
		if step[0] != "" {
			k.say(step[0])
			said := step[0][:min(len(step[0]), 1000)]
			_, _ = fmt.Fprintln(&got, "> "+ids.mask([]byte(said)))
		}
		for from := len(k.seen); step[1] != ""; {
			_, raw, err := k.conn.Read(k.t.Context())
			if err != nil {
				k.t.Fatal(err)
			}
			var e object
			if err := json.Unmarshal(raw, &e); err != nil {
				k.t.Fatal(err)
			}
			k.seen = append(k.seen, e)
			if strings.HasSuffix(e["type"].(string), "audio.delta") {
				sound += len(soundOf(k.t, e))
				continue
			}
			if strings.HasSuffix(e["type"].(string), "audio.done") {
				_, _ = fmt.Fprintf(&got, "< %d bytes of sound\n", sound)
				sound = 0
			}
			_, _ = fmt.Fprintln(&got, "< "+ids.mask(raw))
			if e["type"] == step[1] {
				break
			}
			if len(k.seen)-from > 500 {
				k.t.Fatalf("no %s answers %s", step[1], step[0])
			}
		}
	}
	return got.String()
}

// matchGolden compares a transcript with what was written down.
func matchGolden(t *testing.T, name, got string) {
	t.Helper()
	golden := filepath.Join("testdata", "realtime", name+".txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("the transcript differs from %s:\n%s", golden, got)
	}
}
