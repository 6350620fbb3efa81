package turn

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// everything is an event with all of its members.
func everything(kind string) Event {
	return Event{
		N: 7, Kind: kind, Text: "text", MessageID: "msg_1", At: time.Unix(1, 0).UTC(), Usage: &Usage{InputTokens: 1}, Finish: "stop", Model: "m",
		Logprobs: "[1]", Detached: true, Citations: []Citation{{}},
	}
}

// Whatever member an event has, also one that comes later, is kept.
func TestEntriesKeepEveryMember(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{Asked, Delta, Thought, Calls, Completed} {
		all := reflect.ValueOf(everything(kind))
		for i := range all.NumField() {
			name := all.Type().Field(i).Name
			if all.Field(i).IsZero() {
				t.Fatalf("everything has no %s", name)
			}
			one := Event{N: 7, Kind: kind, Text: "text"}
			reflect.ValueOf(&one).Elem().Field(i).Set(all.Field(i))
			if got := entryOf(one).event(7); !reflect.DeepEqual(got, one) {
				t.Errorf("%s of %s: %+v, want %+v", name, kind, got, one)
			}
		}
	}
}

func TestPackedEventsAreWhatJSONMakesOfThem(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		events, entries := []Event{}, []entry(nil)
		for range random.IntN(6) {
			e := Event{Kind: Delta, Text: randomText(random)}
			switch random.IntN(4) {
			case 0:
				e = everything([]string{Delta, Thought, Completed}[random.IntN(3)])
			case 1:
				e.Kind = Thought
			}
			entries = append(entries, entryOf(e))
			if e.Kind == Delta {
				e.Kind = ""
			}
			events = append(events, e)
		}
		if got, want := string(pack(entries)), string(encode(events)); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
}
