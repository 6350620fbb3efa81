package turn_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/db/dbtest"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
	"parley/impl/core/turn"
)

// Two servers together admit exactly as many answers at once as the plan says.
func TestAnswersAtOnceAreLimitedOverServers(t *testing.T) {
	t.Parallel()
	script, gate := gated("a")
	b := setup(t, providertest.NewScripted(script))
	b.caller.ConcurrentStreams, b.caller.Plan = 3, "small"
	other := *b
	other.engine = b.newEngine(t, dbtest.Open(t, b.dsn, 8))
	var admitted, refused atomic.Int64
	burst := func(calls int) {
		var workers sync.WaitGroup
		for i := range calls {
			workers.Go(func() {
				server := []*bundle{b, &other}[i%2]
				_, err := server.engine.Start(context.WithoutCancel(t.Context()), server.input("Hi"))
				if f := fault.From(err); f == nil {
					admitted.Add(1)
				} else if f.Kind == fault.RateLimited && f.RetryAfter == 0 {
					refused.Add(1)
				} else {
					t.Error(err)
				}
			})
		}
		workers.Wait()
	}
	burst(40)
	if admitted.Load() != 3 || refused.Load() != 37 {
		t.Errorf("admitted %d, refused %d", admitted.Load(), refused.Load())
	}
	mate := *b
	mate.caller.KeyID = id.New(id.Key)
	if _, err := mate.engine.Start(t.Context(), mate.input("Hi")); err != nil {
		t.Errorf("another key of the account is refused: %v", err)
	}
	close(gate)
	b.engine.Stop(t.Context())
	other.engine.Stop(t.Context())
	if n := ask(t, b.dsn, "select sum(running) from stream_gates where account_id = $1", b.caller.AccountID); n != 0 {
		t.Errorf("%d answers count as running after the end of all", n)
	}
}

// What a dead server was running makes room again when it is taken over.
func TestAbandonedAnswersMakeRoom(t *testing.T) {
	t.Parallel()
	script, gate := gated("a")
	d, dsn := dbtest.Own(t)
	b := setupOn(t, d, dsn, providertest.NewScripted(script))
	b.caller.ConcurrentStreams = 1
	b.start(t, b.input("Hi"))
	heir := *b
	heir.engine = b.newEngine(t, d)
	_, err := heir.engine.Start(t.Context(), heir.input("Hi"))
	wantKind(t, err, fault.RateLimited)
	expire(t, dsn)
	if err := heir.engine.TakeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := heir.engine.Start(t.Context(), heir.input("Hi")); err != nil {
		t.Errorf("the abandoned answer still takes the room: %v", err)
	}
	close(gate)
}

// limited is a bundle whose plan admits so many tokens a minute.
func (b *bundle) limited(tokens int) *bundle {
	own := *b
	own.caller.TokensPerMinute, own.caller.Bucket, own.caller.Plan = tokens, "account", "small"
	return &own
}

// short asks for an answer of few tokens: it is charged 8 for them and 3 or so for the question.
func (b *bundle) short() turn.Input {
	in := b.input("Hi")
	in.Sampling.MaxOutputTokens = 8
	return in
}

func TestTokensAreChargedAtTheirMostAndCorrectedAtTheEnd(t *testing.T) {
	t.Parallel()
	reported := providertest.Text("a")
	reported.Usage = &provider.Usage{InputTokens: 5, OutputTokens: 1}
	b := setup(t, providertest.NewScripted(reported))
	const used = "select (select sum(n) from unnest(tokens) n) from token_windows where account_id = $1"
	b = b.limited(1000)
	for i := range 10 {
		if _, err := b.start(t, b.short()).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := ask(t, b.dsn, used, b.caller.AccountID); n != 6*(i+1) {
			t.Fatalf("%d tokens count after %d answers of 6", n, i+1)
		}
	}
	// 60 of 1,000 are used: an answer that can take more than the rest is refused with the time at which it fits.
	long := b.input("Hi")
	long.Sampling.MaxOutputTokens = 980
	_, err := b.engine.Start(t.Context(), long)
	if f := fault.From(err); f == nil || f.Kind != fault.RateLimited || f.RetryAfter <= 0 || f.RetryAfter > 61*time.Second {
		t.Errorf("refused with %+v", f)
	}
	// One that never fits is refused without.
	long.Sampling.MaxOutputTokens = 4000
	_, err = b.engine.Start(t.Context(), long)
	if f := fault.From(err); f == nil || f.Kind != fault.RateLimited || f.RetryAfter != 0 {
		t.Errorf("refused with %+v", f)
	}
}

func TestWaitingAsToldMakesRoomForTokens(t *testing.T) {
	t.Parallel()
	script, gate := gated("a")
	b := setup(t, providertest.NewScripted(script)).limited(4200)
	b.start(t, b.input("Hi")) // can take 4,096 and its question
	const early = 5 * time.Second
	_, err := b.engine.Start(t.Context(), b.input("Hi"))
	f := fault.From(err)
	if f == nil || f.Kind != fault.RateLimited || f.RetryAfter <= early {
		t.Fatalf("refused with %+v", f)
	}
	pass(t, b, int((f.RetryAfter-early)/time.Second))
	_, err = b.engine.Start(t.Context(), b.input("Hi"))
	wantKind(t, err, fault.RateLimited)
	pass(t, b, int(early/time.Second))
	if _, err := b.engine.Start(t.Context(), b.input("Hi")); err != nil {
		t.Errorf("refused after the time told: %v", err)
	}
	close(gate)
}

// pass makes the tokens that count look seconds older.
func pass(t *testing.T, b *bundle, seconds int) {
	t.Helper()
	ask(t, b.dsn, `with aged as (
			update token_windows set seconds = (select array_agg(s - $2::bigint order by s) from unnest(seconds) s)
			where account_id = $1 returning 1
		) select count(*) from aged`, b.caller.AccountID, seconds)
}

// However many servers ask at once, the minute never holds more than the plan's tokens.
func TestTokensOfAMinuteHoldOverServers(t *testing.T) {
	t.Parallel()
	script, gate := gated("a")
	b := setup(t, providertest.NewScripted(script)).limited(0)
	probe := b.start(t, b.short())
	each := int(b.turn(t, probe.ID).InputTokens) + 8
	b = b.limited(each*7 + each/2)
	other := *b
	other.engine = b.newEngine(t, dbtest.Open(t, b.dsn, 8))
	var admitted atomic.Int64
	var workers sync.WaitGroup
	for i := range 40 {
		workers.Go(func() {
			server := []*bundle{b, &other}[i%2]
			_, err := server.engine.Start(context.WithoutCancel(t.Context()), server.short())
			if err == nil {
				admitted.Add(1)
			} else if fault.KindOf(err) != fault.RateLimited {
				t.Error(err)
			}
		})
	}
	workers.Wait()
	if admitted.Load() != 7 {
		t.Errorf("admitted %d answers of %d tokens, want 7", admitted.Load(), each)
	}
	close(gate)
}
