package key_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"parley/db"
	"parley/impl/core/event"
	"parley/impl/core/key"
)

// watched is a key whose use is seen by a server.
type watched struct {
	*bundle
	watch  *key.Watch
	caller key.Caller
}

func watch(t *testing.T, kind key.Kind) watched {
	t.Helper()
	b := setup(t)
	b.ahead.Store(int64(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour)))) // so that no hour ends during a step
	k := b.create(t, func(in *key.CreateInput) { in.Kind = kind })
	return watched{b, &key.Watch{DB: b.keys.DB, Now: b.now}, key.Caller{AccountID: b.account, By: "key", KeyID: k.ID, Kind: kind}}
}

// use lets time pass, then makes requests, and returns what was told of them, the newest first.
func (w watched) use(t *testing.T, after time.Duration, requests int, origin, address string) []event.UnusualUse {
	t.Helper()
	before := w.told(t)
	w.ahead.Add(int64(after))
	for range requests {
		w.watch.Saw(w.caller, origin, address)
	}
	if err := w.watch.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	told := w.told(t)
	return told[:len(told)-len(before)]
}

func (w watched) told(t *testing.T) []event.UnusualUse {
	t.Helper()
	rows, err := w.keys.DB.AuditEvents(t.Context(), w.account, db.AuditFilter{Action: event.KeyUnusualUsage, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	told := []event.UnusualUse{}
	for _, row := range rows {
		var u event.UnusualUse
		if err := json.Unmarshal(row.Details, &u); err != nil || row.ActorKind != "system" || row.Target != w.caller.KeyID {
			t.Errorf("recorded %+v, %v", row, err)
		}
		told = append(told, u)
	}
	return told
}

func wantTold(t *testing.T, what string, got []event.UnusualUse, want ...event.UnusualUse) {
	t.Helper()
	if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("%s: told %+v, want %+v", what, got, want)
	}
}

func TestANewPlaceOfAKeyIsToldOnceADay(t *testing.T) {
	t.Parallel()
	w := watch(t, key.Secret)
	const home, away = "https://home.example", "https://away.example"
	wantTold(t, "the first use", w.use(t, 0, 1, home, "192.0.2.1"))
	wantTold(t, "while it is learned", w.use(t, 23*time.Hour, 1, "https://second.example", "198.51.100.1"))
	wantTold(t, "known places", w.use(t, 2*time.Hour, 1, "https://HOME.example:443", "192.0.2.254"))
	wantTold(t, "a new origin", w.use(t, 0, 2, away, "192.0.2.1"), event.UnusualUse{Reason: key.NewOrigin, Place: away})
	wantTold(t, "the same again", w.use(t, 0, 2, away, "192.0.2.1"))
	wantTold(t, "another within a day", w.use(t, time.Hour, 1, "https://third.example", ""))
	wantTold(t, "a new network", w.use(t, 0, 1, "", "203.0.113.77"), event.UnusualUse{Reason: key.NewNetwork, Place: "203.0.113.0/24"})
	wantTold(t, "the next day", w.use(t, 25*time.Hour, 1, "https://fourth.example", "203.0.113.7"), event.UnusualUse{Reason: key.NewOrigin, Place: "https://fourth.example"})
	wantTold(t, "an IPv6 network", w.use(t, 0, 1, "", "2001:db8:1:2::3"), event.UnusualUse{Reason: key.NewNetwork, Place: "2001:db8:1::/48"})
	wantTold(t, "no origin at all", w.use(t, 25*time.Hour, 1, "null", "none"))
}

func TestAFloodOfAKeyIsTold(t *testing.T) {
	t.Parallel()
	w := watch(t, key.Secret)
	for hour := range 26 {
		wantTold(t, fmt.Sprintf("hour %d", hour), w.use(t, time.Hour, 150, "", ""))
	}
	wantTold(t, "ten times as many", w.use(t, time.Hour, 1500, "", ""))
	got := w.use(t, 0, 1, "", "")
	wantTold(t, "one more", got, event.UnusualUse{Reason: key.HighRate, Requests: 1501, Usual: 150})
	wantTold(t, "still more", w.use(t, 0, 5000, "", ""))
}

// A key that works hard for an hour a night is used as ever in the next one.
func TestWorkAtNightIsAHabit(t *testing.T) {
	t.Parallel()
	w := watch(t, key.Secret)
	for range 4 {
		wantTold(t, "a night", w.use(t, 24*time.Hour, 3000, "", ""))
	}
}

// Visitors of a page come from everywhere, and where is not kept.
func TestVisitorsOfAPublishableKeyAreNotRemembered(t *testing.T) {
	t.Parallel()
	w := watch(t, key.Publishable)
	wantTold(t, "the first use", w.use(t, 0, 1, "https://shop.example", "192.0.2.1"))
	wantTold(t, "a visitor", w.use(t, 25*time.Hour, 1, "https://shop.example", "203.0.113.1"))
	rows, err := w.keys.DB.LockKeyHabits(t.Context(), w.account, []string{w.caller.KeyID})
	if err != nil || len(rows) != 1 {
		t.Fatalf("habits %+v, %v", rows, err)
	}
	var kept struct{ Origins, Networks []string }
	if err := json.Unmarshal([]byte(rows[0].Habit), &kept); err != nil || len(kept.Networks) > 0 || len(kept.Origins) != 1 {
		t.Errorf("kept %s, %v", rows[0].Habit, err)
	}
}

// Wherever a key is used from, what is kept of it stays small, and a key that is used from everywhere is not told of.
func TestHabitsAreBounded(t *testing.T) {
	t.Parallel()
	w := watch(t, key.Secret)
	for i := range 20 {
		for j := range 16 {
			w.watch.Saw(w.caller, fmt.Sprintf("https://%0200d-%d.example", i, j), fmt.Sprintf("10.%d.%d.1", i, j))
		}
		wantTold(t, "learning", w.use(t, time.Minute, 1, "", ""))
	}
	wantTold(t, "one more", w.use(t, 25*time.Hour, 1, "https://new.example", "192.0.2.1"))
	rows, err := w.keys.DB.LockKeyHabits(t.Context(), w.account, []string{w.caller.KeyID})
	if err != nil || len(rows) != 1 || len(rows[0].Habit) > 32768 {
		t.Errorf("habits %+v, %v", rows, err)
	}
}

// A key that was deleted after it was seen, or is somebody's token, has no habit.
func TestOnlyKeysThatExistHaveHabits(t *testing.T) {
	t.Parallel()
	w := watch(t, key.Secret)
	token := w.caller
	token.By = "client"
	w.watch.Saw(token, "", "192.0.2.1")
	if err := w.keys.DB.DeleteKey(t.Context(), w.account, w.caller.KeyID); err != nil {
		t.Fatal(err)
	}
	wantTold(t, "a deleted key", w.use(t, 0, 1, "", "192.0.2.1"))
	rows, err := w.keys.DB.LockKeyHabits(t.Context(), w.account, []string{w.caller.KeyID})
	if err != nil || len(rows) != 0 {
		t.Errorf("habits %+v, %v", rows, err)
	}
}
