package providertest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"parley/impl/core/fault"
	"parley/impl/core/provider"
)

// Run holds a provider to the contract of provider.Provider. Each subtest takes
// a fresh one from open; it must offer a model whose answers have two pieces or
// more.
func Run(t *testing.T, open func(t *testing.T) provider.Provider) {
	for _, c := range []struct {
		name  string
		check func(*testing.T, provider.Provider)
	}{
		{"Models", models},
		{"Answer", answer},
		{"Knowledge", knowledge},
		{"EmitErrorEndsTheAnswer", emitError},
		{"CanceledBefore", canceledBefore},
		{"CanceledWithin", canceledWithin},
		{"RequestIsUntouched", requestIsUntouched},
		{"Concurrent", concurrent},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.check(t, open(t))
		})
	}
}

func models(t *testing.T, p provider.Provider) {
	list, err := p.Models(t.Context())
	if err != nil || len(list) == 0 {
		t.Fatalf("got %d models, %v", len(list), err)
	}
	seen := map[string]bool{}
	for _, m := range list {
		if m.ID == "" || m.Name == "" || m.ContextTokens < 0 || seen[m.ID] {
			t.Errorf("unusable or repeated model %+v", m)
		}
		seen[m.ID] = true
	}
}

func request(t *testing.T, p provider.Provider) provider.Request {
	t.Helper()
	list, err := p.Models(t.Context())
	if err != nil || len(list) == 0 {
		t.Fatalf("got %d models, %v", len(list), err)
	}
	return provider.Request{
		Model: list[0].ID,
		Messages: []provider.Message{
			{Role: provider.RoleSystem, Content: "You are Ada."},
			{Role: provider.RoleUser, Content: "My cat is called Tom."},
			{Role: provider.RoleAssistant, Content: "Noted."},
			{Role: provider.RoleUser, Content: "What is my cat called?"},
		},
	}
}

func answer(t *testing.T, p provider.Provider) {
	var text strings.Builder
	pieces := 0
	result, err := p.Chat(t.Context(), request(t, p), func(d provider.Delta) error {
		pieces++
		text.WriteString(d.Text)
		if d == (provider.Delta{}) || !utf8.ValidString(d.Text+d.Thought) || strings.Contains(d.Text+d.Thought, "\x00") {
			t.Errorf("piece %q", d)
		}
		return nil
	})
	if err != nil || text.Len() == 0 || pieces < 2 {
		t.Fatalf("%q in %d pieces, %v", text.String(), pieces, err)
	}
	if result.Usage.InputTokens <= 0 || result.Usage.OutputTokens <= 0 || result.Model == "" || result.FinishReason != provider.FinishStop {
		t.Errorf("result %+v", result)
	}
}

func knowledge(t *testing.T, p provider.Provider) {
	req := request(t, p)
	req.Knowledge = []provider.Passage{
		{ID: "a", Title: "Dogs", Text: "Dogs bark at night."},
		{ID: "b", Title: "Cats", Text: "My cat is called Tom by everybody in the house."},
	}
	result, err := p.Chat(t.Context(), req, func(provider.Delta) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range result.Cited {
		if i < 0 || i >= len(req.Knowledge) {
			t.Errorf("cited %d of %d passages", i, len(req.Knowledge))
		}
	}
}

func emitError(t *testing.T, p provider.Provider) {
	full := errors.New("reader is full")
	calls := 0
	result, err := p.Chat(t.Context(), request(t, p), func(provider.Delta) error {
		calls++
		return full
	})
	if !errors.Is(err, full) || calls != 1 {
		t.Fatalf("%d calls, %v", calls, err)
	}
	if result.Usage.InputTokens <= 0 || result.FinishReason != "" {
		t.Errorf("result %+v", result)
	}
}

func canceledBefore(t *testing.T, p provider.Provider) {
	req := request(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.Chat(ctx, req, func(provider.Delta) error {
		t.Error("emitted after the cancellation")
		return nil
	})
	if fault.KindOf(err) != fault.Canceled {
		t.Fatalf("got %v", err)
	}
}

func canceledWithin(t *testing.T, p provider.Provider) {
	req := request(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result, err := p.Chat(ctx, req, func(provider.Delta) error {
		cancel()
		return ctx.Err()
	})
	if fault.KindOf(err) != fault.Canceled {
		t.Fatalf("got %v", err)
	}
	if result.Usage.InputTokens <= 0 || result.Usage.OutputTokens <= 0 || result.FinishReason != "" {
		t.Errorf("what was produced is not in %+v", result)
	}
}

func requestIsUntouched(t *testing.T, p provider.Provider) {
	req := request(t, p)
	req.Knowledge = []provider.Passage{{ID: "a", Text: "Text."}}
	before := req
	before.Messages, before.Knowledge = slices.Clone(req.Messages), slices.Clone(req.Knowledge)
	if _, err := p.Chat(t.Context(), req, func(provider.Delta) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(req, before) {
		t.Errorf("request became %+v", req)
	}
}

func concurrent(t *testing.T, p provider.Provider) {
	req := request(t, p)
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() {
			_, err := p.Chat(t.Context(), req, func(provider.Delta) error { return nil })
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
