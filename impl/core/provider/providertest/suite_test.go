package providertest_test

import (
	"context"
	"errors"
	"testing"

	"parley/impl/core/fault"
	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
)

func TestScripted(t *testing.T) {
	t.Parallel()
	providertest.Run(t, func(*testing.T) provider.Provider {
		return providertest.NewScripted(providertest.Text("Your cat", " is Tom", " [2]."))
	})
}

func TestBuiltIn(t *testing.T) {
	t.Parallel()
	providertest.Run(t, func(*testing.T) provider.Provider { return provider.BuiltIn{} })
}

func TestOpenAI(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]providertest.Answer{
		"Streaming":       providertest.SSE("Your cat", " is", " Tom [2]"),
		"MissingUsage":    providertest.NoUsage("Your cat", " is", " Tom [2]"),
		"NoStreamOptions": providertest.NoStreamOptions(false, providertest.SSE("Your cat", " is Tom")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, func(t *testing.T) provider.Provider {
				return provider.NewOpenAI(provider.OpenAIOptions{BaseURL: providertest.NewUpstream(t, a).URL})
			})
		})
	}
}

func TestScriptedFailsAfterItsPieces(t *testing.T) {
	t.Parallel()
	script := providertest.Text("one ", "two ", "three")
	script.Err, script.FailAfter = fault.New(fault.Upstream, "broken"), 2
	p := providertest.NewScripted(script, providertest.Text("fine"))
	var text string
	emit := func(d provider.Delta) error { text += d.Text; return nil }
	result, err := p.Chat(t.Context(), provider.Request{Model: "m", EndUser: "u"}, emit)
	if !errors.Is(err, script.Err) || text != "one two " || result.Usage.OutputTokens < 2 || !result.Usage.Estimated {
		t.Fatalf("%q, %+v, %v", text, result, err)
	}
	if _, err := p.Chat(t.Context(), provider.Request{}, emit); err != nil || text != "one two fine" {
		t.Fatalf("second answer: %q, %v", text, err)
	}
	if seen := p.Requests(); len(seen) != 2 || seen[0].EndUser != "u" {
		t.Fatalf("requests %+v", seen)
	}
}

func TestScriptedGateHoldsEachPiece(t *testing.T) {
	t.Parallel()
	gate, pieces := make(chan struct{}), make(chan string)
	script := providertest.Text("one", "two", "three")
	script.Gate = gate
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := providertest.NewScripted(script).Chat(ctx, provider.Request{}, func(d provider.Delta) error {
			pieces <- d.Text
			return nil
		})
		ended <- err
	}()
	for _, want := range []string{"one", "two"} {
		gate <- struct{}{}
		if got := <-pieces; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	cancel()
	if err := <-ended; fault.KindOf(err) != fault.Canceled {
		t.Fatalf("got %v", err)
	}
}
