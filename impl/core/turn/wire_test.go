package turn_test

import (
	"context"
	"strings"
	"testing"

	"parley/db/dbtest"
	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
	"parley/impl/core/turn"
)

// A turn is one statement at its beginning and one at its end, each its own
// transaction; finding the model and its provider are two reads.
func TestATurnIsTwoWritesWithoutATransactionAround(t *testing.T) {
	t.Parallel()
	b, _, proxy := setupBehindProxy(t, providertest.NewScripted())
	best := dbtest.Traffic{}
	for range 40 { // until every connection of the pool knows the statements, and no loop of the engine sends its own
		proxy.Traffic()
		if _, err := b.start(t, b.input("Hi")).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		sent := proxy.Traffic()
		if best.RoundTrips == 0 || sent.RoundTrips+sent.Parses < best.RoundTrips+best.Parses {
			best = sent
		}
		if best.Parses == 0 && verbs(best) == "select select with with" {
			return
		}
	}
	t.Errorf("a warm turn takes %d round trips and %d parses: %q", best.RoundTrips, best.Parses, best.Executed)
}

// verbs are the first words of what was executed.
func verbs(sent dbtest.Traffic) string {
	var all []string
	for _, statement := range sent.Executed {
		verb, _, _ := strings.Cut(strings.TrimSpace(statement), " ")
		all = append(all, verb)
	}
	return strings.Join(all, " ")
}

// The pieces of all turns that run at once are stored together.
func TestTurnsThatRunAtOnceAreStoredTogether(t *testing.T) {
	t.Parallel()
	const turns = 40
	hangs, _ := hanging("One")
	begun := make(chan struct{})
	b, watch, proxy := setupBehindProxy(t, chatFunc(func(ctx context.Context, emit func(provider.Delta) error) (provider.Result, error) {
		<-begun
		return hangs(ctx, emit)
	}))
	var all []*turn.Live
	for range turns {
		all = append(all, b.start(t, b.input("Hi")))
	}
	proxy.Traffic()
	close(begun)
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
