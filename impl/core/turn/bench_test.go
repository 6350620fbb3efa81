package turn_test

import (
	"context"
	"testing"

	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
	"parley/impl/core/turn"
)

// BenchmarkTurn is a whole turn in a new conversation, with a provider that
// answers at once: what the engine and Postgres cost.
func BenchmarkTurn(b *testing.B) {
	script := providertest.Text("Hello", " there", ", how", " are you?")
	script.Usage = &provider.Usage{InputTokens: 10, OutputTokens: 8}
	bundle := setup(b, providertest.NewScripted(script)).withAccount(b, 1<<50)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			live, err := bundle.engine.Start(context.Background(), bundle.input("Hi"))
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := live.Wait(context.Background()); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkFollow is one reader of a long answer that is there already.
func BenchmarkFollow(b *testing.B) {
	script := providertest.Script{}
	for range 10_000 {
		script.Pieces = append(script.Pieces, provider.Delta{Text: "word "})
	}
	bundle := setup(b, providertest.NewScripted(script)).withAccount(b, 1<<50)
	live := bundle.start(b, bundle.input("Hi"))
	if _, err := live.Wait(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		last := turn.Event{}
		for e := range live.Follow(context.Background(), 0) {
			last = e
		}
		if last.Kind != turn.Completed {
			b.Fatalf("ended with %+v", last)
		}
	}
}
