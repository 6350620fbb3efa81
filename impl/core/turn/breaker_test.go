package turn_test

import (
	"net/http"
	"testing"
	"time"

	"parley/db/dbtest"
	"parley/impl/core/fault"
	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
)

// breakAfter and breakFor are the engine's own.
const (
	breakAfter = 5
	breakFor   = 10 * time.Second
)

// upstream is a bundle whose model "scripted" is run by a real upstream, which
// is asked once a turn.
func upstream(t *testing.T, answers ...providertest.Answer) (*bundle, *providertest.Upstream) {
	t.Helper()
	u := providertest.NewUpstream(t, answers...)
	u.AnswersModels(providertest.Models("scripted"))
	return setup(t, provider.NewOpenAI(provider.OpenAIOptions{BaseURL: u.URL, RetriesMax: -1, FirstByteTimeout: 5 * time.Second})), u
}

// fails runs turns that end with a fault of the kind.
func (b *bundle) fails(t *testing.T, times int, kind fault.Kind) {
	t.Helper()
	for range times {
		_, err := b.start(t, b.input("Hi")).Wait(t.Context())
		wantKind(t, err, kind)
	}
}

// refused wants a turn to be refused before anything is stored or asked.
func (b *bundle) refused(t *testing.T, u *providertest.Upstream) {
	t.Helper()
	asked, turns := len(u.Received()), ask(t, b.dsn, "select count(*) from turns where account_id = $1", b.caller.AccountID)
	_, err := b.engine.Start(t.Context(), b.input("Hi"))
	wantKind(t, err, fault.Unavailable)
	if after := fault.From(err).RetryAfter; after <= 0 || after > breakFor {
		t.Errorf("retry after %v", after)
	}
	if n := ask(t, b.dsn, "select count(*) from turns where account_id = $1", b.caller.AccountID); n != turns || len(u.Received()) != asked {
		t.Errorf("%d turns and %d questions more", n-turns, len(u.Received())-asked)
	}
	if a := b.account(t); a.BalanceMicros != credit {
		t.Errorf("account %+v", a)
	}
}

func TestAFailingProviderIsLeftAloneAndProbed(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]providertest.Answer{
		"500":        providertest.Status(http.StatusInternalServerError, "", "no"),
		"503":        providertest.Status(http.StatusServiceUnavailable, "", "no"),
		"connection": func(*providertest.Exchange) { panic(http.ErrAbortHandler) },
		"empty":      providertest.Raw(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, u := upstream(t, down)
			kind := fault.Upstream
			if name == "503" {
				kind = fault.Unavailable
			}
			b.fails(t, breakAfter, kind)
			b.refused(t, u)
			b.clock.advance(breakFor)
			b.fails(t, 1, kind) // the probe
			b.refused(t, u)
			b.clock.advance(breakFor)
			u.Answers(providertest.SSE("Back"))
			for range 2 {
				if a, err := b.start(t, b.input("Hi")).Wait(t.Context()); err != nil || a.Content != "Back" {
					t.Errorf("%q, %v", a.Content, err)
				}
			}
			u.Answers(down)
			b.fails(t, breakAfter, kind) // counted anew
		})
	}
}

func TestOneTurnProbesAtATime(t *testing.T) {
	t.Parallel()
	b, u := upstream(t, providertest.Status(http.StatusInternalServerError, "", "no"))
	b.fails(t, breakAfter, fault.Upstream)
	b.clock.advance(breakFor)
	u.Answers(providertest.Hang())
	probe := b.start(t, b.input("Hi"))
	_, err := b.engine.Start(t.Context(), b.input("Hi"))
	wantKind(t, err, fault.Unavailable)
	if _, err := b.engine.Cancel(t.Context(), b.caller.AccountID, probe.ID); err != nil {
		t.Fatal(err)
	}
	b.clock.advance(breakFor) // a probe that nobody saw through costs another pause, not more
	u.Answers(providertest.SSE("Back"))
	if _, err := b.start(t, b.input("Hi")).Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNotTheProvidersFailureDoesNotBreak(t *testing.T) {
	t.Parallel()
	b, u := upstream(t)
	for _, c := range []struct {
		answer providertest.Answer
		kind   fault.Kind
	}{
		{providertest.Status(http.StatusUnauthorized, "", "no"), fault.Upstream},
		{providertest.Status(http.StatusBadRequest, "", "no"), fault.Upstream},
		{providertest.Status(http.StatusTooManyRequests, "", "no", "Retry-After", "60"), fault.Unavailable},
		{providertest.Cut("Half"), fault.Upstream},
	} {
		u.Answers(c.answer)
		b.fails(t, breakAfter+1, c.kind)
	}
}

// Whoever ends the turn of a dead server charges what the model costs that answered.
func TestAnAbandonedFallbackIsPaidAtItsOwnPrice(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	refusal := providertest.Script{Pieces: []provider.Delta{{}}, Err: provider.Refuse(fault.New(fault.Upstream, "down"), false)}
	script, gate := gated("Once", " upon")
	p := providertest.NewScripted(refusal, script)
	p.Offers = []provider.Model{{ID: "scripted", ContextTokens: 8192}, {ID: "dear", ContextTokens: 8192}}
	b := setupOn(t, d, dsn, p)
	if err := b.models.SetPrice(t.Context(), b.caller.AccountID, "dear", 0, 1_000_000, 0); err != nil {
		t.Fatal(err)
	}
	if err := b.models.SetFallbacks(t.Context(), b.caller.AccountID, "scripted", []string{"dear"}); err != nil {
		t.Fatal(err)
	}
	live := b.start(t, b.input("Hi"))
	gate <- struct{}{}
	b.flushed(t, live, 1)
	b.takeOver(t, b.newEngine(t, d), live)
	row, events := b.turn(t, live.ID), b.stored(t, live.ID)
	if row.ModelID != "dear" || events[0].Model != "dear" || row.CostMicros != row.OutputTokens*1_000 || row.OutputTokens == 0 {
		t.Errorf("turn %+v, events %+v", row, events)
	}
	b.account(t)
}
