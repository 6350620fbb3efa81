package turn_test

import (
	"strings"
	"testing"

	"parley/impl/core/provider/providertest"
	"parley/impl/core/turn"
)

// A turn is one statement at its beginning and one at its end, each its own
// transaction; finding the model and its provider are two reads.
func TestATurnIsTwoWritesWithoutATransactionAround(t *testing.T) {
	t.Parallel()
	b, _, proxy := setupBehindProxy(t, providertest.NewScripted())
	for warm := range 20 { // until every connection of the pool knows the statements
		proxy.Traffic()
		if _, err := b.start(t, b.input("Hi")).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		sent := proxy.Traffic()
		var verbs []string
		for _, statement := range sent.Executed {
			verb, _, _ := strings.Cut(strings.TrimSpace(statement), " ")
			verbs = append(verbs, verb)
		}
		if got := strings.Join(verbs, " "); got != "select select with with" {
			t.Fatalf("a turn executed %q", got)
		}
		if sent.Parses == 0 && sent.RoundTrips == 4 {
			return
		}
		if warm == 19 {
			t.Errorf("a warm turn takes %d round trips and %d parses", sent.RoundTrips, sent.Parses)
		}
	}
}

// The pieces of all turns that run at once are stored together.
func TestTurnsThatRunAtOnceAreStoredTogether(t *testing.T) {
	t.Parallel()
	const turns = 40
	p, _ := hanging("One")
	b, watch, proxy := setupBehindProxy(t, p)
	proxy.Traffic()
	var all []*turn.Live
	for range turns {
		all = append(all, b.start(t, b.input("Hi")))
	}
	for _, live := range all {
		for len(watch.stored(t, live.ID)) == 0 {
			if t.Context().Err() != nil {
				t.Fatal("the pieces are never stored")
			}
		}
	}
	flushes := 0
	for _, statement := range proxy.Traffic().Executed {
		if strings.Contains(statement, "for key share of t") {
			flushes++
		}
	}
	if flushes == 0 || flushes > turns/4 {
		t.Errorf("the first pieces of %d turns took %d statements", turns, flushes)
	}
}
