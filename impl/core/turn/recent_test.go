package turn_test

import (
	"strings"
	"testing"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/provider/providertest"
	"parley/impl/core/turn"
)

// unstored asks without a conversation, and that nothing be kept.
func (b *bundle) unstored(t *testing.T) db.Turn {
	t.Helper()
	in := b.input("Hi")
	in.Conversation, in.Begins, in.Unstored = nil, false, true
	a, err := b.start(t, in).Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b.turn(t, a.TurnID)
}

func (b *bundle) resumed(t *testing.T, row db.Turn) string {
	t.Helper()
	frames, err := b.engine.Frames(t.Context(), row, 0)
	if err != nil {
		wantKind(t, err, fault.NotFound)
		return ""
	}
	var all strings.Builder
	for f, err := range frames {
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(f.Data.(string))
	}
	return all.String()
}

func TestUnstoredTurnsAreForgottenInAMinuteAndInTheOrderOfTheirEnd(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("large ", 200_000) // four of them are over the bound
	b := setup(t, providertest.NewScripted(providertest.Text("small"), providertest.Text(large)))
	b.engine.Encoders = map[string]turn.Encoder{surface: func(_ turn.View, e turn.Event) []turn.Frame { return []turn.Frame{{Data: e.Text}} }}
	small := b.unstored(t)
	if got := b.resumed(t, small); got != "small" {
		t.Errorf("resumed as %.20q", got)
	}
	if got := len(b.stored(t, small.ID)); got != 0 || small.CostMicros == 0 || b.usageRows(t, small.ID) != 1 {
		t.Errorf("%d events of %+v", got, small)
	}
	var last db.Turn
	for range 4 {
		last = b.unstored(t)
	}
	if b.resumed(t, small) != "" || b.resumed(t, last) != large {
		t.Error("the oldest is kept, or the latest is not")
	}
	b.clock.advance(time.Minute)
	if b.resumed(t, last) != "" {
		t.Error("a minute later the text is still there")
	}
	b.account(t)
}
